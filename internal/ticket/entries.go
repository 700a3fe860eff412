package ticket

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/timestamp"
)

// entries are the journal entries of a change, in order: the types, whether the ticket's customer may see them, and
// their data, as JSON.
type entries struct {
	types []string
	shown []bool
	data  []string
}

// facts are the data of an entry.
type facts map[string]any

// change returns a value before and after.
func change[T any](from, to T) facts { return facts{"from": from, "to": to} }

func (e *entries) add(kind string, shown bool, data facts) {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // Texts, ids and times have a JSON form.
	}
	e.types, e.shown, e.data = append(e.types, kind), append(e.shown, shown), append(e.data, string(text))
}

// entriesOf returns the journal entries for the difference between two states of a ticket.
func entriesOf(before, after sqlc.Ticket) entries {
	var e entries
	if before.Status != after.Status {
		e.add("ticket.status_changed", true, change(before.Status, after.Status))
	}
	if before.HandoffReason == nil && after.HandoffReason != nil {
		e.add("ticket.handed_off", true, facts{"reason": *after.HandoffReason})
	}
	if before.AIMode != after.AIMode {
		e.add("ticket.updated", true, facts{"ai_mode": change(before.AIMode, after.AIMode)})
	}
	assigned := facts{}
	compare(assigned, "assignee_id", before.AssigneeID, after.AssigneeID)
	compare(assigned, "team_id", before.TeamID, after.TeamID)
	if len(assigned) > 0 {
		e.add("ticket.assigned", false, assigned)
	}
	if !slices.Equal(before.Tags, after.Tags) {
		e.add("ticket.tagged", false, facts{"added": without(after.Tags, before.Tags), "removed": without(before.Tags, after.Tags)})
	}
	if from, to := utc(before.SnoozedUntil), utc(after.SnoozedUntil); !same(from, to) {
		e.add("ticket.snoozed", false, change(from, to))
	}
	updated := facts{}
	if before.Priority != after.Priority {
		updated["priority"] = change(before.Priority, after.Priority)
	}
	compare(updated, "external_id", before.ExternalID, after.ExternalID)
	if names := changedFields(before.CustomFields, after.CustomFields); len(names) > 0 {
		updated["custom_fields"] = names
	}
	if len(updated) > 0 {
		e.add("ticket.updated", false, updated)
	}
	return e
}

// compare adds the change of an optional member, if there is one.
func compare[T comparable](changes facts, name string, from, to *T) {
	if !same(from, to) {
		changes[name] = change(from, to)
	}
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// without returns the tags that are not among the others.
func without(tags, others []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return slices.Contains(others, tag) })
}

// changedFields returns the names of the custom fields that differ. Their values are people's text, which stays out of
// the journal.
func changedFields(before, after []byte) []string {
	if bytes.Equal(before, after) {
		return nil
	}
	var was, is map[string]any
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(after, &is) != nil {
		return nil // The database keeps objects.
	}
	names := make(map[string]bool)
	for name := range was {
		names[name] = was[name] != is[name]
	}
	for name := range is {
		names[name] = was[name] != is[name]
	}
	maps.DeleteFunc(names, func(_ string, changed bool) bool { return !changed })
	return slices.Sorted(maps.Keys(names))
}

// utc formats a time as the API does.
func utc(t *time.Time) *string {
	if t == nil {
		return nil
	}
	text := timestamp.Format(*t)
	return &text
}
