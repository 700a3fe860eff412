package ticket

import "github.com/supportbackend/support/internal/page"

// Page and Position are those of every list.
type (
	Page     = page.Page
	Position = page.Position
)
