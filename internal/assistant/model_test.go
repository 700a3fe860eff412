package assistant

import (
	"flag"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// modelChecks is how many random schedules a usual run tries. More of them take the flag -rapid.checks, and -rapid.seed
// tries the same ones again.
const modelChecks = "8"

// TestModel drives the engine along random schedules and compares it, after every step, with a model of what must be true:
// the log and the status of every response and the ticket's messages in the database, and what every reader was given.
//
// Upstream is held at a gate before every token, so that an answer only moves when a step of the schedule lets it. What
// takes its time is waited for, so that the outcome depends on the schedule alone.
func TestModel(t *testing.T) {
	t.Parallel()
	given := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": modelChecks, "rapid.nofailfile": "true"} {
		if !given[name] {
			if err := flag.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	w := newModelWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t, w)
		t.Repeat(m.actions())
		m.finish(t)
	})
}

// actions are the steps of a schedule, each as many times as it is more likely than others.
func (m *machine) actions() map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){"": m.verify}
	for _, a := range []struct {
		name   string
		weight int
		run    func(*rapid.T)
	}{
		{"upstream sends", 6, m.send},
		{"reader opens", 4, m.open},
		{"reader reads", 4, m.read},
		{"reader is cut", 2, m.cut},
		{"reader resumes", 3, m.resume},
		{"client starts", 2, m.start},
		{"client polls", 2, m.poll},
		{"client cancels", 1, m.cancel},
		{"customer writes", 3, m.customerWrites},
		{"staff steps in", 1, m.staffStepsIn},
		{"owner freezes", 2, m.freeze},
		{"replica ends", 1, m.replace},
		{"ghost writes", 2, m.thaw},
		{"commit is held up", 2, m.holdCommit},
		{"human races the end", 2, m.raceEnd},
		{"database crashes", 2, m.loseEvents},
	} {
		for i := range a.weight {
			actions[fmt.Sprintf("%s/%d", a.name, i)] = a.run
		}
	}
	return actions
}
