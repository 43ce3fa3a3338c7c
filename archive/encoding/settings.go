package encoding

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/semaphore"

	"github.com/strongroom-dev/strongroom/manifest"
)

// The compressions.
const (
	None = "none"
	Zstd = "zstd"
)

// The levels of zstd, fastest first.
const (
	Fastest = "fastest" // about zstd -1
	Normal  = "normal"  // about zstd -3
	Better  = "better"  // about zstd -7, two to three times the work of default
	Best    = "best"    // about zstd -11, slow
)

const (
	// maxWindow is the largest window that is written or read.
	maxWindow = 8 << 20
	// maxHeader is the longest age header that is written or read: that of over 2,000
	// age1… recipients, or 150 age1pq1….
	maxHeader = 256 << 10
	// maxInMemory is the largest encoded object that is kept in memory.
	maxInMemory = 32 << 20
)

// Settings say how an Encoder encodes.
type Settings struct {
	Compression string   // None or Zstd; "" is None
	Level       string   // of zstd: Fastest to Best; "" is Fastest
	Recipients  []string // age public keys; none: nothing is encrypted

	Budget *Budget // shared with other Encoders; nil: one of its own, without scratch files

	// Database is the directory that what is encoded comes from: no scratch file is made
	// on the same file system, which a large one could fill. Empty: it is known that
	// this is wanted, or that they lie apart.
	Database string
}

// Limits bound what all Encoders of a Budget use together.
type Limits struct {
	// Memory is how many bytes of encoded objects are held in memory at most.
	// Encode waits for room. What may become larger than that, or than 32 MiB, goes to a
	// scratch file instead, and so does one object of each Encoder that waits too long.
	// 0 is 32 MiB.
	Memory int64
	// Scratch is the directory of the scratch files. It should not lie on the disk of the
	// database, which a large file could fill. It need not be given where nothing is
	// encoded that large; it is never chosen here.
	Scratch string
	// Workers is how many objects are encoded at once; 0 is one for each processor. An
	// Encoder that waits too long for one has another for itself.
	Workers int
}

// A Budget is what the Encoders of a process have together. It is safe for concurrent use.
type Budget struct {
	inMemory int64
	memory   *semaphore.Weighted
	workers  chan struct{} // holds something for each that works
	most     int           // workers
	scratch  *scratch
	chunks   *sync.Pool // of *[chunkSize]byte
}

// NewBudget checks the limits. It does no I/O but to look whether the scratch directory is
// one.
func NewBudget(l Limits) (*Budget, error) {
	if l.Memory < 0 || l.Workers < 0 {
		return nil, fmt.Errorf("a budget of %d bytes and %d workers are not above 0", l.Memory, l.Workers)
	}
	if l.Scratch != "" {
		if info, err := os.Stat(l.Scratch); err != nil {
			return nil, fmt.Errorf("the directory for scratch files: %w", err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("the directory for scratch files: %s is none", l.Scratch)
		}
	}
	memory := cmp.Or(l.Memory, 32<<20)
	workers := cmp.Or(l.Workers, runtime.GOMAXPROCS(0))
	return &Budget{
		inMemory: min(memory, maxInMemory),
		memory:   semaphore.NewWeighted(memory),
		workers:  make(chan struct{}, workers),
		most:     workers,
		scratch:  newScratch(l.Scratch),
		chunks:   &sync.Pool{New: func() any { return new([chunkSize]byte) }},
	}, nil
}

// Encoder makes stored objects. It is safe for concurrent use.
type Encoder struct {
	*Budget

	compress   bool
	recipients []age.Recipient
	names      []string
	header     int64 // length of an age header with these recipients, and of the nonce
	database   string

	reserve     reserve
	compressors sync.Pool // of *zstd.Encoder
	estimator   *zstd.Encoder
}

// New checks the settings and returns an Encoder. It does no I/O.
func New(s Settings) (*Encoder, error) {
	if s.Compression != "" && s.Compression != None && s.Compression != Zstd {
		return nil, fmt.Errorf("compression %.40q is unknown; it is %s or %s", s.Compression, Zstd, None)
	}
	level, err := parseLevel(cmp.Or(s.Level, Fastest))
	if err != nil {
		return nil, err
	}
	if s.Budget == nil {
		if s.Budget, err = NewBudget(Limits{}); err != nil {
			return nil, err
		}
	}
	e := &Encoder{Budget: s.Budget, compress: s.Compression == Zstd, database: s.Database, reserve: newReserve()}
	// Two: one block's matches are found while the one before is packed. The bytes are the same.
	e.compressors.New = func() any { return mustPositive(zstd.NewWriter(nil, level, zstd.WithEncoderConcurrency(2))) }
	e.estimator = mustPositive(newEstimator(e.most, cmp.Or(s.Level, Fastest)))
	if err := e.setRecipients(s.Recipients); err != nil {
		return nil, err
	}
	return e, nil
}

func mustPositive(z *zstd.Encoder, err error) *zstd.Encoder {
	if err != nil {
		panic("encoding: " + err.Error()) // the options are constants
	}
	return z
}

func parseLevel(name string) (zstd.EOption, error) {
	names := []string{Fastest, Normal, Better, Best}
	if i := slices.Index(names, name); i >= 0 {
		return zstd.WithEncoderLevel(zstd.SpeedFastest + zstd.EncoderLevel(i)), nil
	}
	return nil, fmt.Errorf("compression level %.40q is unknown; it is one of %s", name, strings.Join(names, ", "))
}

func (e *Encoder) setRecipients(keys []string) error {
	for i, key := range keys {
		r, name, err := parseRecipient(strings.TrimSpace(key))
		if err != nil {
			return fmt.Errorf("recipient %d: %w", i+1, err)
		}
		if !slices.Contains(e.names, name) {
			e.names, e.recipients = append(e.names, name), append(e.recipients, r)
		}
	}
	slices.Sort(e.names)
	if len(e.names) == 0 {
		return nil
	}
	if len(e.names) > manifest.MaxRecipients {
		return fmt.Errorf("%d recipients are more than %d", len(e.names), manifest.MaxRecipients)
	}
	// What age makes of no content tells that these recipients go together, and the
	// length of their header: it is the same each time.
	var n countingWriter
	w, err := age.Encrypt(&n, e.recipients...)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("encrypting to these recipients: %w", err)
	}
	if e.header = int64(n) - ageOverhead; e.header > maxHeader {
		return fmt.Errorf("%d recipients make a header of %d bytes before each object; it is limited to %d", len(e.names), e.header, maxHeader)
	}
	return nil
}

// countingWriter counts what is written to it.
type countingWriter int64

func (n *countingWriter) Write(b []byte) (int, error) {
	*n += countingWriter(len(b))
	return len(b), nil
}

// parseRecipient also gives the one way in which the key is written. Its errors never
// hold the text: it may be a private key.
func parseRecipient(key string) (age.Recipient, string, error) {
	if strings.HasPrefix(strings.ToUpper(key), "AGE-SECRET-KEY-") {
		return nil, "", errors.New("this is a private key; it must not be here: put its public key (age-keygen -y FILE), and take it as known to whoever has read it here")
	}
	list, err := age.ParseRecipients(io.LimitReader(strings.NewReader(key), 8<<10))
	if err != nil || len(list) != 1 {
		return nil, "", errors.New("this is no age public key: one begins with age1, and age-keygen makes and prints it")
	}
	name, ok := list[0].(fmt.Stringer)
	if !ok {
		return nil, "", fmt.Errorf("this kind of age public key (%T) is unknown", list[0])
	}
	return list[0], name.String(), nil
}

// Recipients returns the public keys that Encode encrypts to, as a manifest names them:
// sorted, each once. manifest.RecipientsTag of them is the <r> of a key.
func (e *Encoder) Recipients() []string { return slices.Clone(e.names) }

// Choose tells how content of this size is best stored: compressed where compression is
// set and Worth it, encrypted where there are recipients. The same content gets the same
// answer.
func (e *Encoder) Choose(src io.ReaderAt, size int64) (string, error) {
	compress := false
	if e.compress {
		var err error
		if compress, err = e.IsCompressible(src, size); err != nil {
			return "", err
		}
	}
	switch encrypt := len(e.recipients) > 0; {
	case compress && encrypt:
		return manifest.ZstdAge, nil
	case encrypt:
		return manifest.Age, nil
	case compress:
		return manifest.Zstd, nil
	}
	return manifest.Plain, nil
}
