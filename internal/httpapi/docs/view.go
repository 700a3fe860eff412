package docs

import (
	"bytes"
	"fmt"
	"net/http"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// The pages are Go code. A template engine would call methods by name, which makes the linker keep every exported
// method of the program: a sixth of the binary.

// render returns the page as HTML.
func (p page) render() ([]byte, error) {
	if p.Problem != nil {
		d, err := p.document()
		if err != nil {
			return nil, err
		}
		if p.Problem, err = p.Problem.shown(d); err != nil {
			return nil, err
		}
	}
	var html bytes.Buffer
	if err := p.view().Render(&html); err != nil {
		return nil, fmt.Errorf("docs: render /%s: %w", p.Name, err)
	}
	return html.Bytes(), nil
}

func (p page) view() g.Node {
	root := p.root()
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.TitleEl(g.Text(p.Heading+" – "+p.Title)),
			h.Link(h.Rel("icon"), h.Href(root+p.Assets["icon.svg"]), h.Type("image/svg+xml")),
			h.Link(h.Rel("license"), h.Href(root+p.Assets["third-party-licenses.txt"])),
			h.Link(h.Rel("service-desc"), h.Href(root+"openapi.json"), h.Type("application/json")),
			g.Map(p.Styles, func(name string) g.Node { return h.Link(h.Rel("stylesheet"), h.Href(root+p.Assets[name])) }),
			g.Map(p.Scripts, func(name string) g.Node { return h.Script(h.Src(root+p.Assets[name]), h.Defer()) }),
		),
		h.Body(h.Class("page-"+p.section()), p.header(), p.content()),
	))
}

func (p page) header() g.Node {
	home := p.root()
	if home == "" {
		home = "./"
	}
	return h.Header(h.Class("site-header"),
		h.A(h.Class("site-title"), h.Href(home), g.Text(p.Title),
			g.If(p.Version != "", g.Group{g.Text(" "), h.Span(h.Class("site-version"), g.Text(p.Version))})),
		h.Nav(h.Aria("label", "Documentation"),
			g.Map(pages, func(to page) g.Node {
				return h.A(h.Href(p.root()+to.Name), g.If(to.Name == p.section(), h.Aria("current", "page")), g.Text(to.Heading))
			}),
			h.A(h.Href(p.root()+"openapi.yaml"), g.Text("openapi.yaml")),
		),
	)
}

// content returns the page below the header: prose, or the element in which a script renders the contract.
func (p page) content() g.Node {
	switch {
	case p.section() == homeSection:
		return article(p.home())
	case p.Guide != nil:
		return article(crumb("../guides", "Guides"), h.H1(g.Text(p.Guide.Title)), g.NodeFunc(p.Guide.render))
	case p.Contents != nil:
		return article(h.H1(g.Text("Guides")), contents(p.Contents))
	case p.Problem != nil:
		return article(p.Problem.view())
	case p.Groups != nil:
		return article(problemList(p.Groups))
	default:
		return g.Group{
			h.NoScript(h.P(h.Class("site-notice"),
				g.Text("This page needs JavaScript. The contract itself is in "), anchor(p.root()+"openapi.yaml", "openapi.yaml"), g.Text("."))),
			h.Main(h.ID("content"), h.Data("paths", p.paths())),
		}
	}
}

func (p page) home() g.Node {
	card := func(href, name, about string) g.Node {
		return h.Li(h.A(h.Href(href), h.Strong(g.Text(name)), g.Text(" "+about)))
	}
	return g.Group{
		h.H1(g.Text(p.Title)),
		h.P(h.Class("lead"), g.Text("Accounts, tickets, messages, and answers by an AI that stream token by token, for products that embed support. "),
			anchor("openapi.yaml", "One contract"), g.Text(" describes this server's API.")),
		h.P(h.Class("state"), h.ID("state"), h.Role("status"), g.Text("Checking whether the server is ready…")),
		h.NoScript(h.P(anchor("readyz", "Is the server ready?"))),
		h.H2(g.Text("Ask something")),
		h.P(g.Text("A server that "), code("support dev"), g.Text(" has started has a demo customer. Elsewhere, "),
			anchor("guides/quickstart", "sign up first"), g.Text(".")),
		h.Pre(h.Code(g.Text("curl "), h.Span(g.Attr("data-origin"), g.Text("http://localhost:8000")), g.Text(`/auth/login --json '{
  "email": "ada@example.com", "password": "correct horse battery"
}'`))),
		h.Ul(h.Class("cards"),
			card("guides/quickstart", "Quickstart", "From nothing to a streamed answer"),
			card("docs", "Try it", "Log in and call every operation here"),
			card("redoc", "Reference", "Operations, schemas and samples"),
			card("problems", "Errors", "What each code means, and what to do"),
		),
		contents(p.Contents),
		h.H2(g.Text("For programs")),
		h.P(anchor("openapi.json", "openapi.json"), g.Text(", "), anchor("openapi.yaml", "openapi.yaml"), g.Text(", "), anchor("livez", "livez"),
			g.Text(", "), anchor("readyz", "readyz"), g.Text(". Without "), code("text/html"), g.Text(" in "), code("Accept"),
			g.Text(", this address answers with JSON.")),
	}
}

func contents(groups []guideGroup) g.Node {
	return g.Map(groups, func(group guideGroup) g.Node {
		return g.Group{
			h.H2(g.Text(group.Heading)),
			h.Ul(h.Class("guides"), g.Map(group.Guides, func(to guide) g.Node { return h.Li(anchor(group.Path+"/"+to.Slug, to.Title)) })),
		}
	})
}

func problemList(groups []problemGroup) g.Node {
	return g.Group{
		h.H1(g.Text("Errors")),
		h.P(g.Text("Every error is a problem document (RFC 9457). Its "), code("type"), g.Text(" is the address of one of these pages, and its "),
			code("code"), g.Text(" is what a client decides by.")),
		g.Map(groups, func(group problemGroup) g.Node {
			return g.Group{
				h.H2(g.Text(group.Heading)),
				h.Dl(h.Class("problems"), g.Map(group.Problems, func(e explained) g.Node {
					return g.Group{
						h.Dt(h.A(h.Href(problemsName+"/"+e.Code), code(e.Code)), g.Text(" "), status("%d", e.Status)),
						h.Dd(e.Meaning.view()),
					}
				})),
			}
		}),
	}
}

func (e explained) view() g.Node {
	again := g.Group{g.Text("Not as it is: the same request is likely to get the same response.")}
	if e.Retryable {
		again = g.Group{
			g.Text("Yes, as it is, after as many seconds as "), code("Retry-After"), g.Text(" says. A "), code("POST"),
			g.Text(" keeps its "), code("Idempotency-Key"), g.Text("."),
		}
	}
	return g.Group{
		crumb("../problems", "Errors"),
		h.H1(g.Text(e.Title)),
		h.P(code(e.Code), g.Text(" "), status("%d %s", e.Status, http.StatusText(e.Status))),
		h.H2(g.Text("What it means")), h.P(e.Meaning.view()),
		h.H2(g.Text("What to do")), h.P(e.Action.view()),
		h.H2(g.Text("Example")), h.Pre(code(e.Example)),
		h.H2(g.Text("May it be sent again?")), h.P(again),
		g.Iff(len(e.Operations) > 0, e.operations),
		g.If(len(e.Settings) > 0, g.Group{
			h.H2(g.Text("Settings behind it")),
			h.P(g.Text("For whoever runs the server:"), g.Map(e.Settings, func(name string) g.Node { return g.Group{g.Text(" "), code(name)} })),
		}),
	}
}

func (e explained) operations() g.Node {
	heading := h.H2(g.Text("Operations that return it"))
	if len(e.Operations) >= manyOperations {
		return g.Group{heading, h.P(g.Text("Nearly all of them: "), anchor("../redoc", "the reference"), g.Text(" lists it with each."))}
	}
	return g.Group{heading, h.Ul(h.Class("operations"), g.Map(e.Operations, func(o operation) g.Node {
		return h.Li(h.A(h.Href("../redoc#"+o.Anchor), code(o.Method+" "+o.Path)), g.Text(" "+o.Summary))
	}))}
}

// view renders every other piece as code.
func (t text) view() g.Node {
	var all g.Group
	for i, piece := range t {
		if i%2 == 1 {
			all = append(all, code(piece))
		} else {
			all = append(all, g.Text(piece))
		}
	}
	return all
}

func article(content ...g.Node) g.Node { return h.Main(h.Class("article"), g.Group(content)) }

func crumb(href, name string) g.Node { return h.P(h.Class("crumb"), anchor(href, name)) }

func anchor(href, name string) g.Node { return h.A(h.Href(href), g.Text(name)) }

func code(content string) g.Node { return h.Code(g.Text(content)) }

func status(format string, a ...any) g.Node { return h.Span(h.Class("status"), g.Textf(format, a...)) }
