package assistant

import (
	"flag"
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
		t.Repeat(map[string]func(*rapid.T){
			"":                  m.verify,
			"start":             m.start,
			"open":              m.open,
			"upstream sends":    m.send,
			"upstream sends on": m.sendSome,
			"read":              m.read,
			"cut":               m.cut,
			"resume":            m.resume,
			"poll":              m.poll,
			"cancel":            m.cancel,
			"customer writes":   m.customerWrites,
			"staff replies":     m.staffReplies,
			"close or reopen":   m.closeOrReopen,
			"hand off or back":  m.handOff,
			"owner freezes":     m.freeze,
			"replica stops":     m.stop,
			"replica dies":      m.die,
			"ghost writes":      m.thaw,
			"commit is held up": m.holdCommit,
			"human races end":   m.raceEnd,
			"database crashes":  m.loseEvents,
		})
		m.finish(t)
	})
}
