package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
)

// app holds the state that all commands share: outputs, global flags and the configuration.
type app struct {
	stdout, stderr io.Writer
	secrets        []string // what no output shows
	log            *slog.Logger

	configFile, logLevel, logFormat string
	json, noProgress                bool
	transfers                       int
	transfersGiven                  bool // on the command line
	bandwidth                       string
	identities                      []string // identity files, for commands that decrypt content
	reads                           bool     // the command decrypts content: it has the flag --identity

	ctx      context.Context //nolint:containedctx // of the command; a read of the configuration ends with it
	loaded   *config.Config  // nil until a command needs the configuration
	stateDir string          // overrides the configured one; set by demo
	limits   transferLimits
	groups   hookGroups
	making   sync.Mutex       // guards budget
	budget   *encoding.Budget // nil until an archive needs an encoder
	decoder  *encoding.Decoder
}

func (a *app) setUp() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usage("--log-level %q: use debug, info, warn or error", a.logLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	switch a.logFormat {
	case "text":
		a.log = slog.New(slog.NewTextHandler(textWriter(a.stderr), o))
	case "json":
		a.log = slog.New(slog.NewJSONHandler(jsonWriter(a.stderr), o))
	default:
		return usage("--log-format %q: use text or json", a.logFormat)
	}
	if err := checkHome(os.Getenv("STRONGROOM_STATE_DIR")); err != nil {
		return usage("STRONGROOM_STATE_DIR: %v", err)
	}
	if (a.transfers < 1 && a.transfersGiven) || a.transfers > config.MaxTransfers {
		return usage("--transfers %d: use 1 to %d", a.transfers, config.MaxTransfers)
	}
	var err error
	a.limits, err = newTransferLimits(a.bandwidth)
	return err
}

// config returns the configuration. The first call reads the file.
func (a *app) config() (*config.Config, error) {
	if a.loaded != nil {
		return a.loaded, nil
	}
	file, err := a.findConfig()
	if err != nil {
		return nil, err
	}
	a.loaded, err = config.Load(cmp.Or(a.ctx, context.Background()), file)
	return a.loaded, err
}

// configPlaces are the default paths of the configuration file, in the order of the search.
var configPlaces = []string{"strongroom.yaml", "/etc/strongroom/strongroom.yaml"}

func (a *app) findConfig() (string, error) {
	if a.configFile != "" {
		return a.configFile, nil
	}
	if env := os.Getenv("STRONGROOM_CONFIG"); env != "" {
		return env, nil
	}
	for _, p := range configPlaces {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", usage("there is no configuration: neither %s exists; create one with strongroom init, "+
		"name one with --config, or give an archive's URL instead of its name", strings.Join(configPlaces, " nor "))
}

// shortName returns the name of an archive that is given by its URL: the URL without its query.
func shortName(url string) string {
	name, _, _ := strings.Cut(providers.Redact(url), "?")
	return name
}

// isURL reports whether s is an archive's URL and not a name in the configuration.
func isURL(s string) bool { return strings.Contains(s, "://") }

// hasUser reports whether a URL has a user and password before its bucket. The name of a bucket
// has no colon; a password may have a slash. The "@" behind a password names no snapshot. Opening
// such a URL fails, with an error that shows neither.
func hasUser(arg string) bool {
	scheme, rest, ok := strings.Cut(arg, "://")
	i := strings.IndexAny(rest, ":/?")
	return ok && scheme != "file" && i >= 0 && rest[i] == ':' && strings.Contains(rest, "@")
}

// splitSelector splits "@42", "@latest" or "@2026-…" off the end of an ARCHIVE argument.
func splitSelector(arg string) (where string, which archive.Selector, named bool) {
	i := strings.LastIndexByte(arg, '@')
	if i < 0 || hasUser(arg) {
		return arg, archive.Selector{}, false
	}
	which, err := archive.ParseSelector(arg[i+1:])
	if err != nil || arg[i+1:] == "" {
		return arg, archive.Selector{}, false
	}
	return arg[:i], which, true
}

// selector returns the archive and the snapshot that an ARCHIVE argument and --snapshot name.
func selector(arg, flag string) (where string, which archive.Selector, err error) {
	where, which, named := splitSelector(arg)
	if flag == "" {
		if i := strings.LastIndexByte(arg, '@'); !named && i > strings.LastIndexByte(arg, '/') && !hasUser(arg) {
			if arg[i+1:] == "" {
				return where, which, usage("%s: nothing follows the @; "+
					"write the number of a snapshot, latest or a time after it, or remove it", shownArg(arg))
			}
			_, err := archive.ParseSelector(arg[i+1:])
			return where, which, usageError{err}
		}
		return where, which, nil
	}
	if named {
		return where, which, usage("%s and --snapshot %s both name a snapshot; use one of them", shownArg(arg), flag)
	}
	which, err = archive.ParseSelector(flag)
	if err != nil {
		err = usageError{fmt.Errorf("--snapshot: %w", err)}
	}
	return where, which, err
}

// noSnapshot returns an error if an ARCHIVE argument names a snapshot.
func noSnapshot(command, arg string) error {
	i := strings.LastIndexByte(arg, '@')
	_, _, named := splitSelector(arg)
	if hasUser(arg) {
		return nil
	}
	if named || i > strings.LastIndexByte(arg, '/') && !strings.Contains(arg, "?") {
		return usage("%s: %s takes no %s; it works on the whole archive", shortName(arg[:i]), command, shownSelector(arg, i))
	}
	return nil
}

// print writes v as one JSON document, or calls human. Both escape invisible characters.
func (a *app) print(v any, human func(io.Writer) error) error {
	out := textWriter(a.stdout)
	var err error
	if a.json {
		out = jsonWriter(withoutSecrets(a.stdout, withoutNumbers(a.secrets))) // it has the messages of errors
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err = e.Encode(v)
	} else {
		err = human(out)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// createOnly creates a file with this content. It returns an error if the file exists.
func createOnly(name string, b []byte) error {
	if err := checkHome(name); err != nil {
		return usage("%s: %v", name, err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usage("%s exists and is not overwritten; choose another name", name)
	}
	if err != nil {
		return fmt.Errorf("creating the file: %w", err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}
