// Package config reads strongroom's configuration file:
//
//	c, err := config.Load(ctx, "/etc/strongroom/strongroom.yaml")
//	for i := range c.Archives {
//		a := &c.Archives[i]
//		schedule, err := config.ParseSchedule(a.Schedule, a.Location())
//		…
//	}
//
// The file is YAML, decoded strictly. Unknown keys, duplicate keys, values of the wrong type and
// values that cannot work are errors. All problems are reported at once, as an *Error: each with
// its line, its column, the text of the line and a correction. A Config without errors is valid
// as far as that can be checked without the disk or the network.
//
// ${NAME} in a value stands for an environment variable and $${ for a plain ${. They are replaced
// after decoding, so that the content of a variable is never parsed as YAML. Keys are not
// expanded. YAML's anchors, aliases, tags and multiple documents are errors; the section defaults
// has the settings that archives share.
package config

import (
	"context"
	_ "embed" // for the schema and the starter file
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// Schema is the JSON Schema (draft 2020-12) of the configuration file, for editors.
//
//go:embed schema.json
var Schema string

//go:embed starter.yaml
var starter string

// Starter returns a commented example file, which is valid.
func Starter() []byte { return []byte(starter) }

// MaxSize is the largest size of a configuration file, in bytes. It has room for 10,000 archives.
const MaxSize = 8 << 20

// DefaultTransfers is the number of concurrent object transfers if the file does not set it.
const DefaultTransfers = 8

// DefaultNotifyAfter is how long an archive fails before a notification, if the file does not set it.
const DefaultNotifyAfter = time.Minute

// MaxTransfers is the largest number of concurrent object transfers that can be configured.
const MaxTransfers = 256

// Config is a checked configuration file with the defaults filled in.
type Config struct {
	// StateDir is the absolute path of the directory for local state; "" if it is not set.
	StateDir string `yaml:"state_dir"`

	// ScratchDir is the absolute path of the directory for large files while they are compressed
	// or encrypted; "" if it is not set.
	ScratchDir string `yaml:"scratch_dir"`

	// HTTP configures the service's HTTP server; nil disables it.
	HTTP *HTTP `yaml:"http"`

	// Archives has at least one element. Their names differ, and no destination is equal to
	// another one or within it.
	Archives []Archive `yaml:"archives"`

	// Prices are what providers charge, for estimates; see PricesOf.
	Prices []Prices `yaml:"prices"`

	file  string           // see Place; empty if the file was not read by Load
	lines map[placeKey]int // of the keys in it
}

// placeKey is a key of an archive.
type placeKey struct{ archive, key string }

// Place returns the file and the line, as in strongroom.yaml:12, of an archive's key destination
// or notify; "" if that is unknown. It is for problems that only an attempt to use the value shows.
func (c *Config) Place(archive, key string) string {
	line, ok := c.lines[placeKey{archive, key}]
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s:%d", c.file, line)
}

// Archive is one database and one destination of its log files.
type Archive struct {
	Name        string        `yaml:"name"`        // [A-Za-z0-9._-], beginning with a letter or digit
	Node        string        `yaml:"node"`        // name of the database node; Load fills in the host name
	Source      Source        `yaml:"source"`      // the log files
	Destination string        `yaml:"destination"` // URL without credentials
	Group       string        // the name in the file if the entry has several destinations; otherwise ""
	Schedule    string        `yaml:"schedule"`    // as ParseSchedule reads it; "" disables scheduled snapshots
	TimeZone    string        `yaml:"time_zone"`   // IANA name, for the schedules; the default is UTC
	Jitter      time.Duration `yaml:"jitter"`      // each run is delayed by a random time below this; not negative
	Compression string        `yaml:"compression"` // as ParseCompression reads it; "" is none
	Encryption  Encryption    `yaml:"encryption"`  // no recipients disable encryption
	Transfers   int           `yaml:"transfers"`   // concurrent object transfers, 1 to MaxTransfers
	Bandwidth   *Bandwidth    `yaml:"bandwidth"`   // sent and received; nil is no limit
	Verify      *Verify       `yaml:"verify"`      // nil disables scheduled verification
	Drill       *Drill        `yaml:"drill"`       // nil disables scheduled drills and has no command
	Retention   *Retention    `yaml:"retention"`   // nil keeps all snapshots
	Notify      []string      `yaml:"notify"`      // URLs of notification targets; they contain secrets

	// NotifyAfter is how long a state that differs from the last one sent must last before it is sent; not negative.
	NotifyAfter time.Duration `yaml:"notify_after"`

	location *time.Location
}

// Location returns the time zone that TimeZone names.
func (a *Archive) Location() *time.Location {
	if a.location == nil {
		return time.UTC
	}
	return a.location
}

// Source is a directory of log files. Settings that are not given are zero.
type Source struct {
	Dir     string        `yaml:"dir"`     // absolute
	Layout  string        `yaml:"layout"`  // je, noxu, bdb, segments, files; "" detects it
	Pattern string        `yaml:"pattern"` // regular expression; layouts segments (with one group) and files
	Base    int           `yaml:"base"`    // of the sequence number: 10 or 16; segments
	Closed  string        `yaml:"closed"`  // all-but-newest or quiet; segments
	Quiet   time.Duration `yaml:"quiet"`   // files, and segments with Closed quiet; 0 if not set, or with NoQuiet
	NoQuiet bool          // quiet is set to 0: a file is closed at once
	Tail    string        `yaml:"tail"`    // include or exclude
	Entries string        `yaml:"entries"` // check or ignore; je and noxu

	Before         string        `yaml:"before"`          // for sh, before each snapshot; its failure fails the run
	After          string        `yaml:"after"`           // for sh, after each run, unless Before failed
	CommandTimeout time.Duration `yaml:"command_timeout"` // of each command; positive
}

// Load reads and checks a configuration file. Variables come from the environment. An archive
// without a node gets the host's name. It reports problems of the file as an *Error, which wraps
// the error of reading it, such as fs.ErrNotExist.
//
// The file may be a pipe. Load waits for it for minutes at most, and no longer than until ctx ends.
func Load(ctx context.Context, path string) (*Config, error) {
	data, err := disk.ReadInput(ctx, path, MaxSize+1) // of a file that is too large, Parse reports that
	if err != nil {
		return nil, &Error{
			File: path,
			Problems: []Problem{{Message: "it cannot be read: " + reason(err) +
				"; name another file with --config, or create one with strongroom init"}},
			cause: err,
		}
	}
	d := newDecoder(path, data, os.LookupEnv, disk.RealPath)
	c := d.decode(data)
	if err := d.errors.err(); err != nil {
		return nil, err
	}
	c.file, c.lines = path, d.lines
	return c, c.setNode()
}

// reason returns an error's text without the operation and the path, which the Error has.
func reason(err error) string {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

func (c *Config) setNode() error {
	for i := range c.Archives {
		if c.Archives[i].Node != "" {
			continue
		}
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("reading the host name, which is the default of node: %w; "+
				"set node in the configuration", err)
		}
		c.Archives[i].Node = host
	}
	return nil
}

// Parse checks a configuration in memory. name is the file's name for errors; getenv returns a
// variable's value, as os.LookupEnv does. The result depends only on the arguments and the time
// zone database. Unlike Load, Parse does not resolve symbolic links when it compares
// destinations. Errors are of type *Error.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	d := newDecoder(name, data, getenv, filepath.Clean)
	c := d.decode(data)
	if err := d.errors.err(); err != nil {
		return nil, err
	}
	return c, nil
}
