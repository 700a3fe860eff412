package assistant

import (
	"flag"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// modelChecks is the number of random schedules of a normal run. The flag -rapid.checks raises it, and -rapid.seed
// repeats a run.
const modelChecks = "10"

// TestModel runs the engine through random schedules and compares it with a model after every step: the log and status
// of every response and the ticket's messages in the database, and the events of every reader.
//
// The simulator holds every token at a gate, so that an answer advances only in a step of the schedule. The test waits
// for asynchronous work, so that the result depends only on the schedule. Every run uses the same schedules; task
// fuzz:engine draws others.
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

// actions returns the steps of a schedule. Steps that come early or more than once in the list are drawn more often.
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
