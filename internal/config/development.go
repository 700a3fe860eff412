package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// development holds the defaults of "support dev".
var development = map[string]string{
	// Loopback only, because everybody knows the demo accounts' passwords.
	"SUPPORT_ADDR":       "127.0.0.1:8000",
	"SUPPORT_LOG_FORMAT": "text",
	// People who try it out sign up many accounts.
	"SUPPORT_SIGNUP_LIMIT": "0",
	// Receivers under development run on this machine.
	"SUPPORT_WEBHOOK_ALLOW": "127.0.0.0/8,::1/128",
	"ALLOWED_ORIGINS":       strings.Join(localOrigins(), ","),
}

// localOrigins returns the origins of common development servers: Next.js and Create React App, Angular, Vite and its
// preview, Parcel, webpack and others.
func localOrigins() []string {
	var origins []string
	for _, port := range []string{"3000", "3001", "4200", "4173", "5173", "5174", "1234", "8080"} {
		origins = append(origins, "http://localhost:"+port, "http://127.0.0.1:"+port)
	}
	return origins
}

// Development returns the environment of "support dev": environ, with its own defaults for what environ does not set.
func Development(environ []string) []string { return under(environ, development) }

// WithFile adds the variables of a file of NAME=value lines to the environment; environ takes precedence. names are the
// added variables, in order. A file that does not exist adds nothing. The error quotes nothing from the file.
func WithFile(environ []string, path string) (all, names []string, err error) {
	file, err := godotenv.Read(path)
	var unreadable *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return environ, nil, nil
	case errors.As(err, &unreadable):
		return nil, nil, fmt.Errorf("%s: %w", path, unreadable.Err)
	case err != nil:
		return nil, nil, fmt.Errorf("%s has a line that is not of the form NAME=value", path)
	}
	set := nonEmpty(environ)
	maps.DeleteFunc(file, func(name, value string) bool { return set[name] != "" || strings.TrimSpace(value) == "" })
	return under(environ, file), slices.Sorted(maps.Keys(file)), nil
}

// under adds defaults for the variables that the environment does not set.
func under(environ []string, defaults map[string]string) []string {
	all := maps.Clone(defaults)
	maps.Copy(all, nonEmpty(environ))
	list := make([]string, 0, len(all))
	for name, value := range all {
		list = append(list, name+"="+value)
	}
	return list
}

// nonEmpty returns the variables that have a value. An empty variable counts as not set, because compose files pass on
// unset variables as empty ones.
func nonEmpty(environ []string) map[string]string {
	set := env.ToMap(environ)
	maps.DeleteFunc(set, func(_, value string) bool { return strings.TrimSpace(value) == "" })
	return set
}
