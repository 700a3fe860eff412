package ticket

import "github.com/supportbackend/support/internal/page"

type (
	// Page is that of every list.
	Page = page.Page
	// Position is that of every list.
	Position = page.Position
)
