package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
)

// Explain turns errors that a person at a terminal can fix into a sentence.
func Explain(err error) error {
	var outage *store.OutageError
	if errors.As(err, &outage) {
		return fmt.Errorf("%s", strings.TrimSpace(outage.Error()+". "+outage.Advice))
	}
	var statement *store.Error
	if errors.As(err, &statement) && statement.Undefined() {
		return fmt.Errorf("the schema lacks something that this program needs (SQLSTATE %s). "+
			"Run: support migrate up. If that changes nothing, restore a backup", statement.SQLState)
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted")
	}
	var known *apperr.Error
	if !errors.As(err, &known) {
		return err
	}
	for _, field := range known.Fields {
		return fmt.Errorf("%s: the %s is not valid: %s", known.Code, strings.TrimPrefix(field.Pointer, "/"), field.Code)
	}
	return fmt.Errorf("%s: %s", known.Code, known.Detail)
}
