package assistant

import (
	"flag"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// modelChecks is how many random schedules a usual run tries. More of them take the flag -rapid.checks, and -rapid.seed
// tries the same ones again.
const modelChecks = "10"

// TestModel drives the engine along random schedules and compares it, after every step, with a model of what must be true:
// the log and the status of every response and the ticket's messages in the database, and what every reader was given.
//
// Upstream is held at a gate before every token, so that an answer only moves when a step of the schedule lets it. What
// takes its time is waited for, so that the outcome depends on the schedule alone. The schedules are the same in every run;
// task fuzz:engine draws others.
func TestModel(t *testing.T) {
	t.Parallel()
	given := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": modelChecks, "rapid.nofailfile": "true", "rapid.seed": "2"} {
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

// actions are the steps of a schedule. What comes early in the list, and what comes more than once, is drawn more often.
func (m *machine) actions() map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){"": m.verify}
	for i, a := range []struct {
		name string
		run  func(*rapid.T)
	}{
		{"upstream sends", m.send},
		{"reader opens", m.open},
		{"customer writes", m.customerWrites},
		{"upstream sends", m.send},
		{"database crashes", m.loseEvents},
		{"reader reads", m.read},
		{"commit is held up", m.holdCommit},
		{"human races the end", m.raceEnd},
		{"owner freezes", m.freeze},
		{"reader is cut", m.cut},
		{"reader resumes", m.resume},
		{"customer asks", m.customerAsks},
		{"client starts", m.start},
		{"upstream sends", m.send},
		{"replica ends", m.replace},
		{"staff publishes", m.publish},
		{"ghost writes", m.thaw},
		{"mode changes", m.changeMode},
		{"client polls", m.poll},
		{"client cancels", m.cancel},
		{"staff steps in", m.staffStepsIn},
		{"staff discards", m.discard},
		{"staff publishes", m.publish},
		{"ticket is handed off", m.handOff},
		{"reader reads", m.read},
		{"upstream sends", m.send},
		{"human races the end", m.raceEnd},
		{"reader resumes", m.resume},
	} {
		actions[fmt.Sprintf("%02d %s", i, a.name)] = a.run
	}
	return actions
}
