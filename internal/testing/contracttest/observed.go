package contracttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/supportbackend/support/gen/api"
)

// seen has the responses of all servers in this run.
var seen = observations{
	statuses: make(map[string]map[int]int), codes: make(map[string]int), entries: make(map[string]map[string]int),
}

// observations counts responses by operation and status, codes of problems and of failed answers, and journal entries
// by operation and type.
type observations struct {
	mu       sync.Mutex
	statuses map[string]map[int]int
	codes    map[string]int
	entries  map[string]map[string]int
}

func (o *observations) response(operationID string, status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.statuses[operationID] == nil {
		o.statuses[operationID] = make(map[int]int)
	}
	o.statuses[operationID][status]++
}

// problem counts the code of a problem.
func (o *observations) problem(contentType string, body []byte) {
	var problem api.Problem
	if contentType == mediaTypeProblem && json.Unmarshal(body, &problem) == nil {
		o.code(string(problem.Code))
	}
}

func (o *observations) code(code string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.codes[code]++
}

func (o *observations) entry(operationID, kind string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.entries[operationID] == nil {
		o.entries[operationID] = make(map[string]int)
	}
	o.entries[operationID][kind]++
}

// CheckCoverage prints how often each declared status of each operation was seen in this run, each entry of the journal that
// it lists (x-events), and each code. It returns an error when one of them was not. It is for the end of a whole run.
// COVERAGE_TABLE may name a file that gets the table too: go test shows what is printed only with -v, or on a failure.
func CheckCoverage() error {
	doc, err := spec()
	if err != nil {
		return err
	}
	table, holes := seen.report(doc)
	if _, err := os.Stdout.WriteString(table); err != nil {
		return err
	}
	if name := os.Getenv("COVERAGE_TABLE"); name != "" {
		if err := os.WriteFile(name, []byte(table), 0o600); err != nil {
			return err
		}
	}
	if len(holes) > 0 {
		return errors.New("the contract declares what no test has seen:\n\t" + strings.Join(holes, "\n\t"))
	}
	return nil
}

func (o *observations) report(doc *openapi3.T) (table string, holes []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	operations := make(map[string]*openapi3.Operation)
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			operations[op.OperationID] = op
		}
	}
	var text strings.Builder
	for _, id := range slices.Sorted(maps.Keys(operations)) {
		fmt.Fprintf(&text, "%-22s", id)
		for _, status := range slices.Sorted(maps.Keys(operations[id].Responses.Map())) {
			number, _ := strconv.Atoi(status)
			fmt.Fprintf(&text, " %s×%d", status, o.statuses[id][number])
			if o.statuses[id][number] == 0 {
				holes = append(holes, fmt.Sprintf("%s: %s %s", id, status, http.StatusText(number)))
			}
		}
		for _, kind := range listed(operations[id]) {
			fmt.Fprintf(&text, " %s×%d", kind, o.entries[id][kind])
			if o.entries[id][kind] == 0 {
				holes = append(holes, fmt.Sprintf("%s: an entry %s", id, kind))
			}
		}
		text.WriteString("\n")
	}
	for _, value := range doc.Components.Schemas["ProblemCode"].Value.Enum {
		code := fmt.Sprint(value)
		fmt.Fprintf(&text, "%-26s ×%d\n", code, o.codes[code])
		if o.codes[code] == 0 {
			holes = append(holes, "the code "+code)
		}
	}
	return text.String(), holes
}
