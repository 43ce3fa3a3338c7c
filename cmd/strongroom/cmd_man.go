//go:build man

package main

import (
	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/internal/manpages"
)

// buildCommands returns the command that writes the manual pages. It is only for the build of a release: the program
// itself does not link what it needs.
func (a *app) buildCommands() []*cobra.Command {
	return []*cobra.Command{{
		Use:    "man DIR",
		Short:  "Write the manual pages",
		Hidden: true,
		Args:   exactArgs(1, "man DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			return manpages.Write(args[0], c.Root(), programVersion())
		},
	}}
}
