package docs

import "strings"

// The policies allow only what each page needs. Redoc adds its styles to the page and searches in a worker made from a
// blob. form-action and similar directives do not fall back to default-src.
const (
	swaggerPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	redocPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// homePolicy is for the home page, which checks whether the server is ready.
	homePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
		"form-action 'none'; frame-ancestors 'none'"
	// plainPolicy is for pages without scripts.
	plainPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; " +
		"frame-ancestors 'none'"
	// sealedPolicy is for files that are not pages. It applies when somebody opens one as a document.
	sealedPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// site is what all pages have in common.
type site struct {
	Title   string            // of the API
	Version string            // of the API
	Assets  map[string]string // URL by file name
	// paths are those of the API, in the contract's order, separated by spaces. They are read on demand.
	paths func() string
	// document is the contract, read on demand.
	document func() (*document, error)
}

// page is a view of the contract or of a part of it.
type page struct {
	site
	Name     string         // path without the slash
	Heading  string         // what the page is for, in a word or two
	Styles   []string       // file names; the order is the cascade's
	Scripts  []string       // file names; the last one starts the page
	Groups   []problemGroup // of the list of problems
	Problem  *explained     // of the page of a problem
	Contents []guideGroup   // of the first page and of the list of guides
	Guide    *guide         // of the page of a guide
	policy   string
}

// pages are the pages in the header.
var pages = []page{
	{Name: guidesName, Heading: "Guides", policy: plainPolicy, Styles: []string{"site.css"}},
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
	{Name: problemsName, Heading: "Errors", policy: plainPolicy, Styles: []string{"site.css"}},
}

// homeSection is the section of the home page.
const homeSection = "home"

// problemsName is the path of the list of problems; those of the problems are below it.
const problemsName = "problems"

// allPages returns the home page, those of the header with their lists, and a page for each problem and each guide.
func allPages(groups []problemGroup, guides []guideGroup) []page {
	all := append([]page{{
		Heading: "Home", policy: homePolicy, Styles: []string{"site.css"}, Scripts: []string{"home.js"}, Contents: guides,
	}}, pages...)
	for i := range all {
		switch all[i].Name {
		case problemsName:
			all[i].Groups = groups
		case guidesName:
			all[i].Contents = guides
		}
	}
	for _, group := range guides {
		for _, g := range group.Guides {
			all = append(all, page{
				Name: group.Path + "/" + g.Slug, Heading: g.Title, policy: plainPolicy, Styles: []string{"site.css"}, Guide: &g,
			})
		}
	}
	for _, group := range groups {
		for _, p := range group.Problems {
			all = append(all, page{
				Name: problemsName + "/" + p.Code, Heading: p.Title, policy: plainPolicy,
				Styles: []string{"site.css"}, Problem: &p,
			})
		}
	}
	return all
}

// root returns the relative path from the page to the site's root. Links are relative, so that the site also works
// below a reverse proxy's prefix.
func (p page) root() string { return strings.Repeat("../", strings.Count(p.Name, "/")) }

// section returns the page of the header that this one belongs to.
func (p page) section() string {
	section, _, _ := strings.Cut(p.Name, "/")
	switch section {
	case "":
		return homeSection
	case rulesName:
		return guidesName
	default:
		return section
	}
}
