package strongroom

import (
	"log/slog"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/source"
)

// Option is an option of Open.
type Option func(*options)

type options struct {
	archive  archive.Options
	layout   source.LayoutOptions
	node     string
	tool     string
	stateDir string
}

// WithLayout describes the log files. Without it the layout is detected from the names, at each backup: je, noxu or bdb.
func WithLayout(l source.LayoutOptions) Option { return func(o *options) { o.layout = l } }

// WithNode names the database node that the log files belong to, in at most 255 bytes. Without it that is the host's name.
func WithNode(name string) Option { return func(o *options) { o.node = name } }

// WithTool names the program and its version in what it writes. Without it that is this library.
func WithTool(nameAndVersion string) Option { return func(o *options) { o.tool = nameAndVersion } }

// WithState stores what this host has seen of the archive in a directory, which may serve any number of archives. With it
// a backup reads files that have not changed only once, and finds an archive that was emptied or replaced.
func WithState(dir string) Option { return func(o *options) { o.stateDir = dir } }

// WithEncoder compresses and encrypts what a backup sends.
func WithEncoder(e *encoding.Encoder) Option { return func(o *options) { o.archive.Encoder = e } }

// WithDecoder has the identities that decrypt content. Compressed content needs none.
func WithDecoder(d *encoding.Decoder) Option { return func(o *options) { o.archive.Decoder = d } }

// WithLog receives warnings and the outcome of scheduled runs. Without it nothing is logged.
func WithLog(log *slog.Logger) Option { return func(o *options) { o.archive.Log = log } }

// WithTransfers bounds the objects that are transferred at once. Without it they are 8.
func WithTransfers(n int) Option { return func(o *options) { o.archive.Transfers = n } }
