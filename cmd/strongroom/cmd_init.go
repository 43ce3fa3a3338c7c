package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/config"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a commented starter configuration",
		Example: `  strongroom init
  strongroom init /etc/strongroom/strongroom.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("give at most one file: strongroom init [FILE]")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			name := configPlaces[0]
			if len(args) == 1 {
				name = args[0]
			}
			if err := createOnly(name, config.Starter()); err != nil {
				return err
			}
			return a.print(map[string]string{"created": name}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "created %s; edit it, then run: "+
					"strongroom backup --all --dry-run --config %s\n", name, name)
				return err
			})
		},
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  strongroom version
  strongroom version --json`,
		Args: exactArgs(0, "version"),
		RunE: func(*cobra.Command, []string) error {
			return a.print(map[string]string{"version": programVersion()}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, tool())
				return err
			})
		},
	}
}
