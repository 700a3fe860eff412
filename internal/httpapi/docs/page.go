package docs

import (
	"bytes"
	_ "embed" // for the page template
	"fmt"
	"html/template"
)

// The policies allow what each page was seen to need and nothing else. Redoc writes its styles into the page and
// searches in a worker that it makes from a blob. form-action and the like do not fall back to default-src.
const (
	swaggerPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	redocPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// sealedPolicy is for what is not a page. It takes effect when somebody opens the file as a document.
	sealedPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

//go:embed static/page.html.tmpl
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page is one way to look at the contract.
type page struct {
	Name    string            // path without the slash
	Heading string            // what the page is for, in a word or two
	Styles  []string          // file names; the order is the cascade's
	Scripts []string          // file names; the last one starts the page
	Assets  map[string]string // URL by file name
	Title   string            // of the API
	Version string            // of the API
	policy  string
}

var pages = []page{
	{
		Name: "docs", Heading: "Try it", policy: swaggerPolicy,
		Styles:  []string{"swagger-ui.css", "site.css"},
		Scripts: []string{"swagger-ui-bundle.js", "swagger.js"},
	},
	{
		Name: "redoc", Heading: "Reference", policy: redocPolicy,
		Styles:  []string{"site.css"},
		Scripts: []string{"redoc.standalone.js", "redoc.js"},
	},
}

// Pages lists all pages, for the links between them.
func (page) Pages() []page { return pages }

func (p page) render() ([]byte, error) {
	var html bytes.Buffer
	if err := pageTemplate.Execute(&html, p); err != nil {
		return nil, fmt.Errorf("docs: render /%s: %w", p.Name, err)
	}
	return html.Bytes(), nil
}
