package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Problem is one kind of problem that the API reports.
type Problem struct {
	Code      string
	Title     string
	Status    int
	Retryable bool
	// Settings are the settings that the problem depends on.
	Settings []string
}

// explained is a problem with its text from the contract.
type explained struct {
	Problem
	Meaning text
	Action  text
	// The page of the problem also has these. shown adds them.
	Example    string
	Operations []operation
}

// shown returns the problem with what the rest of the contract says about it.
func (e explained) shown(d *document) (*explained, error) {
	var err error
	e.Example, err = d.exampleOf(e.Problem)
	e.Operations = d.operationsOf(e.Code)
	return &e, err
}

// manyOperations is the number of operations from which on a page does not list them.
const manyOperations = 16

// problemGroup is the part of the contract's list below one heading.
type problemGroup struct {
	Heading  string
	Problems []explained
}

// text is a line of Markdown in pieces: the odd ones were in backticks.
type text []string

func parseText(line string) text { return strings.Split(line, "`") }

// problemItem matches the text of a problem, an item of a list in the contract's description, or the heading above such
// a list.
var problemItem = regexp.MustCompile("(?m)^### (.+)$" +
	"|^- \\[`([a-z_]+)`\\]\\(problems/([a-z_]+)\\) \\(([0-9]{3})\\): (.+)\n  \\*(.+)\\*$")

// explain reads the text of each problem from the contract's description, in its order. It fails unless each problem
// has exactly one item with its status, because every problem document links to its page.
func explain(description string, problems []Problem) ([]problemGroup, error) {
	left := make(map[string]Problem, len(problems))
	for _, p := range problems {
		left[p.Code] = p
	}
	var groups []problemGroup
	for _, item := range problemItem.FindAllStringSubmatch(description, -1) {
		heading, code, page, status := item[1], item[2], item[3], item[4]
		if heading != "" {
			groups = append(groups, problemGroup{Heading: heading})
			continue
		}
		p, known := left[code]
		if !known || page != code || status != strconv.Itoa(p.Status) || len(groups) == 0 {
			return nil, fmt.Errorf("docs: the contract's text of the problem %q does not match the server's", code)
		}
		delete(left, code)
		group := &groups[len(groups)-1]
		group.Problems = append(group.Problems, explained{Problem: p, Meaning: parseText(item[5]), Action: parseText(item[6])})
	}
	for code := range left {
		return nil, fmt.Errorf("docs: the contract does not explain the problem %q", code)
	}
	return slices.DeleteFunc(groups, func(g problemGroup) bool { return len(g.Problems) == 0 }), nil
}
