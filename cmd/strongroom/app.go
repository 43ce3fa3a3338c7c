package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	neturl "net/url"
	"os"
	"strings"
	"sync"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/providers"
)

// app is what the commands share: where they print, and the flags that stand everywhere.
type app struct {
	stdout, stderr io.Writer
	log            *slog.Logger

	configFile, logLevel, logFormat string
	json, noProgress                bool
	transfers                       int
	transfersGiven                  bool // on the command line
	bandwidth                       string
	identities                      []string // files, for commands that read content
	reads                           bool     // the command is one of these

	loaded   *config.Config // once a command needed it
	stateDir string         // of the demo, which keeps to its own directory
	limits   transferLimits
	groups   hookGroups
	making   sync.Mutex       // held while the budget is made
	budget   *encoding.Budget // once something is to be encoded
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
		a.log = slog.New(slog.NewTextHandler(a.stderr, o))
	case "json":
		a.log = slog.New(slog.NewJSONHandler(a.stderr, o))
	default:
		return usage("--log-format %q: use text or json", a.logFormat)
	}
	if (a.transfers < 1 && a.transfersGiven) || a.transfers > config.MaxTransfers {
		return usage("--transfers %d: use 1 to %d", a.transfers, config.MaxTransfers)
	}
	var err error
	a.limits, err = newTransferLimits(a.bandwidth)
	return err
}

// config reads the configuration file, the first time that a command needs it.
func (a *app) config() (*config.Config, error) {
	if a.loaded != nil {
		return a.loaded, nil
	}
	file, err := a.findConfig()
	if err != nil {
		return nil, err
	}
	a.loaded, err = config.Load(file)
	return a.loaded, err
}

// configPlaces is where a configuration is looked for when nobody names one.
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
	return "", usage("there is no configuration: neither %s; make one with strongroom init, name one with --config, or give an archive's URL where its name would stand", strings.Join(configPlaces, " nor "))
}

// shortName is what an archive without a name is called: its URL without the settings.
func shortName(url string) string {
	name, _, _ := strings.Cut(providers.Redact(url), "?")
	return name
}

// isURL tells an archive's URL from its name in the configuration.
func isURL(s string) bool { return strings.Contains(s, "://") }

// redactArg is an argument as it was given, without what may be a secret.
func redactArg(arg string) string {
	if isURL(arg) {
		return providers.Redact(arg)
	}
	return arg
}

// hasUser tells a URL with user and password before its bucket, whose name has no colon; a
// secret may have a slash. The "@" after them names no snapshot: opening the URL refuses
// them, and prints neither.
func hasUser(arg string) bool {
	scheme, rest, ok := strings.Cut(arg, "://")
	i := strings.IndexAny(rest, ":/?")
	return ok && scheme != "file" && i >= 0 && rest[i] == ':' && strings.Contains(rest, "@")
}

// splitSelector takes "@42", "@latest" or "@2026-…" off the end of an ARCHIVE argument.
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

// selector is the snapshot that an ARCHIVE argument and the flag --snapshot name.
func selector(arg, flag string) (where string, which archive.Selector, err error) {
	where, which, named := splitSelector(arg)
	if flag == "" {
		if i := strings.LastIndexByte(arg, '@'); !named && i > strings.LastIndexByte(arg, '/') && !hasUser(arg) {
			if arg[i+1:] == "" {
				return where, which, usage("%s: nothing comes after the @; write the number of a snapshot, latest or a time, or no @", redactArg(arg))
			}
			_, err := archive.ParseSelector(arg[i+1:])
			return where, which, usageError{err}
		}
		return where, which, nil
	}
	if named {
		return where, which, usage("%s and --snapshot %s both name a snapshot; use one of them", redactArg(arg), flag)
	}
	which, err = archive.ParseSelector(flag)
	if err != nil {
		err = usageError{fmt.Errorf("--snapshot: %w", err)}
	}
	return where, which, err
}

// noSnapshot refuses an archive's address that names a snapshot.
func noSnapshot(command, arg string) error {
	i := strings.LastIndexByte(arg, '@')
	_, _, named := splitSelector(arg)
	if hasUser(arg) {
		return nil
	}
	if named || i > strings.LastIndexByte(arg, '/') && !strings.Contains(arg, "?") {
		return usage("%s: %s takes no %s; it is about the archive as a whole", shortName(arg[:i]), command, arg[i:])
	}
	return nil
}

// print writes v as one JSON document, or calls human.
func (a *app) print(v any, human func(io.Writer) error) error {
	if !a.json {
		return human(a.stdout)
	}
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// rejectNested refuses a directory that lies within a file:// archive, or the other way round:
// objects among log files, or log files among objects, are a danger to both.
func rejectNested(dir, url, what string) error {
	u, err := neturl.Parse(url)
	if err != nil || u.Scheme != "file" {
		return nil // what is wrong with it, opening it tells
	}
	there := u.Path
	a, b := disk.RealPath(dir)+"/", disk.RealPath(there)+"/"
	if strings.HasPrefix(a, b) || strings.HasPrefix(b, a) {
		return usage("%s %s and the archive %s lie one within the other; keep them apart", what, dir, there)
	}
	return nil
}

// createOnly writes a file that must not be there yet.
func createOnly(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usage("%s is there already and is not overwritten; choose another name", name)
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
