package main

import (
	"fmt"
	"net"
	"strings"
)

// The welcome that "support dev" prints once it serves. Its commands can be pasted into any POSIX shell. Demo accounts
// add two parts; without them, the tour begins with a sign-up.
const (
	welcomeReady = `
Support Backend is ready at {url}

  try the API   {url}/docs
  read the API  {url}/redoc
  database      {database}
  answers       {answers}
`
	welcomeDemo = `
  log in as     {admin} (administrator), {staff} (staff) or {customer} (customer)
  password      {password}
  API key       {key}
`
	welcomeWalk = `
Paste this into another terminal:
`
	welcomeSignUp = `
  curl -s {url}/auth/signup -H 'Content-Type: application/json' \
    -d '{"email":"{customer}","password":"{password}"}'
`
	welcomeAsk = `
  TOKEN=$(curl -s {url}/auth/login -H 'Content-Type: application/json' \
    -d '{"email":"{customer}","password":"{password}"}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

  TICKET=$(curl -s {url}/tickets -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"title":"Invoice 4711 is wrong","description":"I was charged twice for October."}' \
    | sed 's/.*"id":"\([^"]*\)".*/\1/')

  curl -s {url}/tickets/$TICKET/messages -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"content":"The second charge is from 14 October."}'

  curl -sN {url}/tickets/$TICKET/ai-response -H "Authorization: Bearer $TOKEN"
`
	welcomeService = `
With the API key, a service acts for its customers:

  curl -s {url}/tickets -H 'Authorization: Bearer {key}' -H 'X-On-Behalf-Of: customer-4711' \
    -H 'Content-Type: application/json' -d '{"title":"Where is my parcel?","description":"It was due on Monday."}'
`
	welcomeEnd = `
Ctrl-C stops everything.
`
)

func (d *dev) printWelcome(addr net.Addr) {
	host, port, _ := net.SplitHostPort(addr.String())
	database, answers := "the one of DATABASE_URL", fmt.Sprintf("from %s, model %s", d.cfg.GroqAPIURL, d.cfg.GroqModel)
	if d.postgres != nil {
		database = d.cfg.DatabaseURL.Reveal()
	}
	if d.simulator != nil {
		answers = "SIMULATED by a Groq simulator. Set GROQ_API_KEY for real ones."
	}
	parts := []string{welcomeReady, welcomeWalk, welcomeSignUp, welcomeAsk, welcomeEnd}
	if d.demoKey != "" {
		parts = []string{welcomeReady, welcomeDemo, welcomeWalk, welcomeAsk, welcomeService, welcomeEnd}
	}
	text := strings.NewReplacer(
		"{url}", "http://localhost:"+port, "{database}", database, "{answers}", answers, "{key}", d.demoKey,
		"{password}", demoPassword, "{admin}", demoAdmin, "{staff}", demoStaff, "{customer}", demoCustomer,
	).Replace(strings.Join(parts, ""))
	if ip := net.ParseIP(host); d.demoKey != "" && !ip.IsLoopback() {
		text += fmt.Sprintf("\nWARNING: other machines can reach %s, and everybody knows the passwords above: use --no-demo, and another --data-dir.\n", addr)
	}
	fmt.Fprint(d.out, text)
}
