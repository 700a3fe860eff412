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
{{- if .Key}}

  log in as     {{.Admin}} (administrator), {{.Staff}} (staff) or {{.Customer}} (customer)
  password      {{.Password}}
  API key       {{.Key}}
{{- end}}

A walk to paste into another terminal:
{{if not .Key}}
  curl -s {{.URL}}/auth/signup -H 'Content-Type: application/json' \
    -d '{"email":"{{.Customer}}","password":"{{.Password}}"}'
{{end}}
  TOKEN=$(curl -s {{.URL}}/auth/login -H 'Content-Type: application/json' \
    -d '{"email":"{{.Customer}}","password":"{{.Password}}"}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

  TICKET=$(curl -s {{.URL}}/tickets -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"title":"Invoice 4711 is wrong","description":"I was charged twice for October."}' \
    | sed 's/.*"id":"\([^"]*\)".*/\1/')

  curl -s {{.URL}}/tickets/$TICKET/messages -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"content":"The second charge is from 14 October."}'

  curl -sN {{.URL}}/tickets/$TICKET/ai-response -H "Authorization: Bearer $TOKEN"
{{- if .Key}}

With the API key, a service acts for its customers:

  curl -s {{.URL}}/tickets -H 'Authorization: Bearer {{.Key}}' -H 'X-On-Behalf-Of: customer-4711' \
    -H 'Content-Type: application/json' -d '{"title":"Where is my parcel?","description":"It was due on Monday."}'
{{end}}
Ctrl-C stops everything.
`))

func (d *dev) printWelcome(addr net.Addr) {
	host, port, _ := net.SplitHostPort(addr.String())
	data := struct{ URL, Database, Answers, Key, Password, Admin, Staff, Customer string }{
		URL:      "http://localhost:" + port,
		Database: "the one of DATABASE_URL",
		Answers:  fmt.Sprintf("from %s, model %s", d.cfg.GroqAPIURL, d.cfg.GroqModel),
		Key:      d.demoKey, Password: demoPassword, Admin: demoAdmin, Staff: demoStaff, Customer: demoCustomer,
	}
	if d.postgres != nil {
		data.Database = d.cfg.DatabaseURL.Reveal()
	}
	if d.simulator != nil {
		data.Answers = "SIMULATED: they come from a Groq simulator. Set GROQ_API_KEY for real ones."
	}
	var text strings.Builder
	_ = welcome.Execute(&text, data) // The template and its data are above.
	if ip := net.ParseIP(host); d.demoKey != "" && !ip.IsLoopback() {
		fmt.Fprintf(&text, "\nWARNING: %s can be reached from other machines, and the passwords above are known to everybody: use --no-demo, and another --data-dir.\n", addr)
	}
	fmt.Fprint(d.out, text.String())
}
