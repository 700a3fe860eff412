package ticket

import (
	"encoding/json"
	"maps"

	"github.com/supportbackend/support/internal/apperr"
)

// maxFields is the maximum number of a ticket's custom fields.
const maxFields = 30

// Fields returns a ticket's custom fields by name. A value is a string, a number or a boolean.
func Fields(stored []byte) (map[string]any, error) {
	fields := make(map[string]any)
	err := json.Unmarshal(stored, &fields)
	return fields, err
}

// mergeFields applies given fields to the stored ones: it sets them, or removes those that are nil. It returns
// ValidationFailed when there are too many.
func mergeFields(stored []byte, given map[string]any) ([]byte, error) {
	if len(given) == 0 {
		return stored, nil
	}
	fields, err := Fields(stored)
	if err != nil {
		return nil, err
	}
	maps.Copy(fields, given)
	maps.DeleteFunc(fields, func(_ string, value any) bool { return value == nil })
	if len(fields) > maxFields {
		limit := int64(maxFields)
		return nil, apperr.New(apperr.ValidationFailed, "The ticket would have too many custom fields.").
			At(apperr.Field{Pointer: "/custom_fields", Code: apperr.TooLong, Limit: &limit})
	}
	return json.Marshal(fields)
}
