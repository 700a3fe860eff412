package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/store"
)

// release is set where the go command cannot know it, such as in an image built without the repository: go build
// -ldflags="-X main.release=v1.2.3".
var release string

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program, of the schema that it needs, and of Go",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := store.LatestVersion()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "support %s\nschema %d\n%s %s/%s\n",
				version(), schema, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// version returns the release, or the module version that the go command stamped.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
