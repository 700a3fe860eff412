package docs

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Problem is one kind of problem that the API reports.
type Problem struct {
	Code      string
	Title     string
	Status    int
	Retryable bool
}

// explained is a problem with what the contract says of it.
type explained struct {
	Problem
	Meaning text
	Action  text
}

// StatusText is the name of the problem's status (RFC 9110).
func (e explained) StatusText() string { return http.StatusText(e.Status) }

// problemGroup is the part of the contract's list that stands below one heading.
type problemGroup struct {
	Heading  string
	Problems []explained
}

// text is a line of Markdown, of which only code in backticks is known: the odd pieces.
type text []string

func parseText(line string) text { return strings.Split(line, "`") }

var (
	// problemRow is the one place where the text of a problem stands: a row of a table in the contract's description.
	problemRow     = regexp.MustCompile("^\\| \\[`([a-z_]+)`\\]\\(problems/([a-z_]+)\\) \\| ([0-9]{3}) \\| ([^| ][^|]*) \\| ([^| ][^|]*) \\|$")
	problemHeading = regexp.MustCompile(`^### (.+)$`)
)

// explain reads what the contract's description says of each of the problems, in its order. It fails when a problem
// has no row, a row has no problem or another status, or a code has two rows: people are sent to each of the pages.
func explain(description string, problems []Problem) ([]problemGroup, error) {
	left := make(map[string]Problem, len(problems))
	for _, p := range problems {
		left[p.Code] = p
	}
	var groups []problemGroup
	heading := ""
	for line := range strings.Lines(description) {
		line = strings.TrimSpace(line)
		if h := problemHeading.FindStringSubmatch(line); h != nil {
			heading = h[1]
			continue
		}
		row := problemRow.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		p, known := left[row[1]]
		if !known || row[2] != p.Code || row[3] != fmt.Sprint(p.Status) {
			return nil, fmt.Errorf("docs: the contract's row of the problem %q is not of one of the server's", row[1])
		}
		delete(left, p.Code)
		if len(groups) == 0 || groups[len(groups)-1].Heading != heading {
			groups = append(groups, problemGroup{Heading: heading})
		}
		group := &groups[len(groups)-1]
		group.Problems = append(group.Problems, explained{Problem: p, Meaning: parseText(row[4]), Action: parseText(row[5])})
	}
	for code := range left {
		return nil, fmt.Errorf("docs: the contract does not explain the problem %q", code)
	}
	return groups, nil
}
