package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/config"
)

// identityFlag adds --identity to a command that decrypts content.
func (a *app) identityFlag(c *cobra.Command) {
	c.Flags().StringArrayVar(&a.identities, "identity", nil, "age identity `FILE` to decrypt content with "+
		"(repeatable; default: the file that "+encoding.IdentityVariable+" names)")
}

// opener returns the decoder with the identities; nil for commands that do not decrypt content.
func (a *app) opener(ctx context.Context) (*encoding.Decoder, error) {
	if !a.reads || a.decoder != nil {
		return a.decoder, nil
	}
	ids, err := encoding.LoadIdentities(ctx, a.identities...)
	if err != nil {
		return nil, err
	}
	a.decoder = encoding.NewDecoder(ids...)
	return a.decoder, nil
}

// encoder returns the encoder for an archive; nil if it has neither compression nor encryption.
// All encoders share one budget. It is safe for concurrent use.
func (a *app) encoder(s *settings) (*encoding.Encoder, error) {
	compression, level, err := config.ParseCompression(cmp.Or(s.compression, encoding.None))
	if err != nil {
		return nil, fmt.Errorf("compression %q: %w", s.compression, err)
	}
	if compression == encoding.None && len(s.recipients) == 0 {
		return nil, nil
	}
	a.making.Lock()
	defer a.making.Unlock()
	if a.budget == nil {
		if a.budget, err = encoding.NewBudget(a.scratchLimits(s)); err != nil {
			return nil, err
		}
	}
	return encoding.New(encoding.Settings{
		Compression: compression, Level: level, Recipients: s.recipients, Budget: a.budget, Database: s.database,
	})
}

// scratchLimits returns the place of scratch files: the first of the configured directory, TMPDIR,
// a directory in the local state, and the system's directory. Where no operator chose it, space
// stays free on its disk for other programs.
func (a *app) scratchLimits(s *settings) encoding.Limits {
	if dir := cmp.Or(s.scratch, os.Getenv("TMPDIR")); dir != "" {
		return encoding.Limits{Scratch: dir}
	}
	if state := stateDirectory(cmp.Or(a.stateDir, s.stateDir)); state != "" {
		return encoding.Limits{Scratch: filepath.Join(state, "scratch"), MakeScratch: true, Reserve: encoding.MinFree}
	}
	return encoding.Limits{Scratch: os.TempDir(), Reserve: encoding.MinFree}
}
