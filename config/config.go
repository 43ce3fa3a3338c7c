// Package config reads strongroom's configuration file:
//
//	c, err := config.Load("/etc/strongroom/strongroom.yaml")
//	for i := range c.Archives {
//		a := &c.Archives[i]
//		schedule, err := config.ParseSchedule(a.Schedule, a.Location())
//		…
//	}
//
// The file is YAML, decoded strictly: an unknown key, a key that is there twice, a value
// of the wrong type or one that cannot work is refused. All that is wrong is reported at once, as
// an *Error, with line, column, the text of the line, and what to do about it. After
// that, a Config can be relied on: whatever can be known to be wrong without looking at
// the disk or the network has been refused.
//
// ${NAME} in a value stands for an environment variable and $${ for a plain ${. That is
// replaced in the decoded value, so that a variable's content is never read as YAML.
// Keys are taken as they are. YAML's anchors, aliases, tags and further documents are
// refused; what archives share stands in the section defaults.
package config

import (
	_ "embed" // for the schema and the starter file
	"errors"
	"fmt"
	"io"
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

// Starter returns a commented file to begin with. It is valid as it is.
func Starter() []byte { return []byte(starter) }

// MaxSize is how long a configuration file may be, in bytes.
const MaxSize = 1 << 20

// DefaultTransfers is the number of objects in flight where the file does not say it.
const DefaultTransfers = 8

// MaxTransfers is the largest number of objects in flight that can be configured.
const MaxTransfers = 256

// Config is a whole configuration file, checked, with the defaults filled in.
type Config struct {
	// StateDir is where the local witness lies; absolute. Empty: not given.
	StateDir string `yaml:"state_dir"`

	// ScratchDir is where large files lie while they are compressed or encrypted; absolute.
	// Empty: not given.
	ScratchDir string `yaml:"scratch_dir"`

	// HTTP is how the service is reached; nil: it is not.
	HTTP *HTTP `yaml:"http"`

	// Archives has at least one element; their names differ, and no destination is at the
	// place of another, or within it.
	Archives []Archive `yaml:"archives"`
}

// Archive is one database and where its log files go.
type Archive struct {
	Name        string        `yaml:"name"`        // [A-Za-z0-9._-], beginning with a letter or digit
	Node        string        `yaml:"node"`        // who the log files belong to; Load fills in the host name
	Source      Source        `yaml:"source"`      // what is archived
	Destination string        `yaml:"destination"` // URL without credentials
	Group       string        // the name in the file, where it gives several destinations: each is an archive of its own
	Schedule    string        `yaml:"schedule"`    // as ParseSchedule reads it; empty: only by hand
	TimeZone    string        `yaml:"time_zone"`   // IANA name, of the schedule; UTC when not given
	Jitter      time.Duration `yaml:"jitter"`      // each run is put off by a random time below this; not negative
	Compression string        `yaml:"compression"` // as ParseCompression reads it; empty: none
	Encryption  Encryption    `yaml:"encryption"`  // without recipients: none
	Transfers   int           `yaml:"transfers"`   // objects in flight, 1 to MaxTransfers
	Bandwidth   *Bandwidth    `yaml:"bandwidth"`   // sent and received; nil: no limit
	Verify      *Verify       `yaml:"verify"`      // nil: only by hand
	Drill       *Drill        `yaml:"drill"`       // nil: only by hand, and without a command
	Retention   *Retention    `yaml:"retention"`   // nil: nothing is removed
	Notify      []string      `yaml:"notify"`      // URLs of who is told; there are secrets in them

	location *time.Location
}

// Location returns the time zone that TimeZone names.
func (a *Archive) Location() *time.Location {
	if a.location == nil {
		return time.UTC
	}
	return a.location
}

// Source is a directory of log files. What was not given is zero.
type Source struct {
	Dir     string        `yaml:"dir"`     // absolute
	Layout  string        `yaml:"layout"`  // je, noxu, bdb, segments, files; empty: to be detected
	Pattern string        `yaml:"pattern"` // regular expression; layouts segments (with one group) and files
	Base    int           `yaml:"base"`    // of the sequence number: 10 or 16; segments
	Closed  string        `yaml:"closed"`  // all-but-newest or quiet; segments
	Quiet   time.Duration `yaml:"quiet"`   // files, and segments with Closed quiet; positive
	Tail    string        `yaml:"tail"`    // include or exclude
	Entries string        `yaml:"entries"` // check or ignore; je and noxu

	Before         string        `yaml:"before"`          // command that runs before each snapshot, for sh; its failure is the snapshot's
	After          string        `yaml:"after"`           // command that runs after each snapshot that Before allowed, well or not
	CommandTimeout time.Duration `yaml:"command_timeout"` // of each of them; positive
}

// Load reads and checks a configuration file. Variables come from the environment, and
// an archive that does not name its node gets the host's name. What is wrong with the
// file is reported as an *Error, which wraps fs.ErrNotExist and the like.
func Load(path string) (*Config, error) {
	data, err := read(path)
	if err != nil {
		return nil, &Error{
			File:     path,
			Problems: []Problem{{Message: "it cannot be read: " + reason(err) + "; name another file with --config, or make one with strongroom init"}},
			cause:    err,
		}
	}
	c, err := parseFile(path, data, os.LookupEnv, disk.RealPath)
	if err != nil {
		return nil, err
	}
	return c, c.setNode()
}

// reason is an error without the operation and the path, which is said anyway.
func reason(err error) string {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// read returns the file's content, and one byte more than is allowed if it is too long,
// so that Parse refuses it.
func read(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the configuration: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return data, nil
}

func (c *Config) setNode() error {
	for i := range c.Archives {
		if c.Archives[i].Node != "" {
			continue
		}
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("finding out the host's name, which is the default of node: %w; set node in the configuration", err)
		}
		c.Archives[i].Node = host
	}
	return nil
}

// Parse checks a configuration that is in memory already. The name is that of its file,
// for errors; getenv looks a variable up, as os.LookupEnv does. The result depends on
// nothing else (and the time zone database). Load besides compares destinations in directories
// by where symbolic links lead. Errors are of type *Error.
func Parse(name string, data []byte, getenv func(string) (string, bool)) (*Config, error) {
	return parseFile(name, data, getenv, filepath.Clean)
}

func parseFile(name string, data []byte, getenv func(string) (string, bool), resolve func(string) string) (*Config, error) {
	d := &decoder{errors: newReport(name, data), getenv: getenv, resolve: resolve}
	c := d.decode(data)
	if err := d.errors.err(); err != nil {
		return nil, err
	}
	return c, nil
}
