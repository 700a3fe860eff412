package main

import (
	"fmt"
	"net"
	"strings"
	"text/template"
)

// welcome is what "support dev" prints once it serves. The walk can be pasted as it is, into any POSIX shell.
var welcome = template.Must(template.New("welcome").Parse(`
Support Backend is ready at {{.URL}}

  try the API   {{.URL}}/docs
  read the API  {{.URL}}/redoc
  database      {{.Database}}
  answers       {{.Answers}}

A walk to paste into another terminal:

  curl -s {{.URL}}/auth/signup -H 'Content-Type: application/json' \
    -d '{"email":"ada@example.com","password":"correct horse battery"}'

  TOKEN=$(curl -s {{.URL}}/auth/login -H 'Content-Type: application/json' \
    -d '{"email":"ada@example.com","password":"correct horse battery"}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

  TICKET=$(curl -s {{.URL}}/tickets -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"title":"Invoice 4711 is wrong","description":"I was charged twice for October."}' \
    | sed 's/.*"id":"\([^"]*\)".*/\1/')

  curl -s {{.URL}}/tickets/$TICKET/messages -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"content":"The second charge is from 14 October."}'

  curl -sN {{.URL}}/tickets/$TICKET/ai-response -H "Authorization: Bearer $TOKEN"

Ctrl-C stops everything.
`))

func (d *dev) printWelcome(addr net.Addr) {
	_, port, _ := net.SplitHostPort(addr.String())
	data := struct{ URL, Database, Answers string }{
		URL:      "http://localhost:" + port,
		Database: "the one of DATABASE_URL",
		Answers:  fmt.Sprintf("from %s, model %s", d.cfg.GroqAPIURL, d.cfg.GroqModel),
	}
	if d.postgres != nil {
		data.Database = d.cfg.DatabaseURL.Reveal()
	}
	if d.simulator != nil {
		data.Answers = "SIMULATED: they come from a Groq simulator. Set GROQ_API_KEY for real ones."
	}
	var text strings.Builder
	_ = welcome.Execute(&text, data) // The template and its data are above.
	fmt.Fprint(d.out, text.String())
}
