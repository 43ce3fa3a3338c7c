package encoding

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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
	Better  = "better"  // about zstd -7, two to three times the work of Normal
	Best    = "best"    // about zstd -11, slow
)

const (
	// maxWindow is the largest zstd window that is written or read, in bytes.
	maxWindow = 8 << 20
	// maxHeader is the longest age header that is written or read, in bytes. It fits over 2,000 age1…
	// recipients, or 150 age1pq1….
	maxHeader = 256 << 10
	// maxInMemory is the largest encoded object that is kept in memory, in bytes.
	maxInMemory = 32 << 20
)

// Settings are the settings of an Encoder. The zero value neither compresses nor encrypts.
type Settings struct {
	Compression string   // None or Zstd; "" means None
	Level       string   // of zstd, Fastest to Best; "" means Fastest
	Recipients  []string // age public keys; an empty list disables encryption

	Budget *Budget // may be shared with other Encoders; nil creates one with default limits and no scratch files

	// Database is the directory of the files that are encoded. Scratch files leave MinFree bytes free on its file
	// system. Empty means that it is on another one.
	Database string
}

// Limits bound what all Encoders of a Budget use together.
type Limits struct {
	// Memory is the greatest total size of encoded objects in memory, in bytes; 0 means 32 MiB. Encode waits for
	// free memory. An object that may become larger than Memory or 32 MiB is encoded to a scratch file, and so
	// is one object of each Encoder that waits too long.
	Memory int64
	// Scratch is the directory of the scratch files. It is better not on the disk of the database, where they leave
	// MinFree bytes free. It may be empty if no object becomes too large for memory.
	Scratch string
	// MakeScratch makes the directory when the first scratch file needs it. Otherwise it must exist.
	MakeScratch bool
	// Reserve is how many bytes the scratch files leave free on their disk at least.
	Reserve int64
	// Workers is the number of objects encoded at once; 0 means one for each processor. An Encoder that waits
	// too long for a worker uses its own additional one.
	Workers int
}

// Budget is the resources that the Encoders of a process share. It is safe for concurrent use.
type Budget struct {
	inMemory int64
	memory   *semaphore.Weighted
	workers  chan struct{} // contains a value for each busy worker
	most     int           // the number of workers
	scratch  *scratch
	chunks   *sync.Pool // of *[chunkSize]byte
}

// NewBudget checks the limits and returns a Budget. It does no I/O: commands that only read need no scratch directory.
func NewBudget(l Limits) (*Budget, error) {
	if l.Memory < 0 || l.Workers < 0 || l.Reserve < 0 {
		return nil, fmt.Errorf("a budget of %d bytes and %d workers, with a reserve of %d bytes, must not be negative",
			l.Memory, l.Workers, l.Reserve)
	}
	memory := cmp.Or(l.Memory, 32<<20)
	workers := cmp.Or(l.Workers, runtime.GOMAXPROCS(0))
	return &Budget{
		inMemory: min(memory, maxInMemory),
		memory:   semaphore.NewWeighted(memory),
		workers:  make(chan struct{}, workers),
		most:     workers,
		scratch:  newScratch(&l),
		chunks:   &sync.Pool{New: func() any { return new([chunkSize]byte) }},
	}, nil
}

// Encoder encodes objects. It is safe for concurrent use.
type Encoder struct {
	*Budget

	compress   bool
	recipients []age.Recipient
	names      []string
	header     int64 // length of an age header with these recipients, and of the nonce
	database   string

	reserve     reserve
	inScratch   atomic.Int64 // the number of open scratch files
	compressors sync.Pool    // of *zstd.Encoder
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
	// With a concurrency of 2, one block is matched while the previous one is packed. The output stays the same.
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
	// Encrypting empty content checks that these recipients are compatible, and measures their header, whose
	// length is always the same.
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

// parseRecipient parses a public key, and returns it also in its canonical form. Its errors never contain the text,
// since it may be a private key.
func parseRecipient(key string) (age.Recipient, string, error) {
	if strings.HasPrefix(strings.ToUpper(key), "AGE-SECRET-KEY-") {
		return nil, "", errors.New("this is a private key, which must not be here: use its public key " +
			"(age-keygen -y FILE), and assume that everyone with access to this place has the private key")
	}
	list, err := age.ParseRecipients(io.LimitReader(strings.NewReader(key), 8<<10))
	if err != nil || len(list) != 1 {
		return nil, "", errors.New("this is no age public key: these begin with age1, and age-keygen prints them")
	}
	name, ok := list[0].(fmt.Stringer)
	if !ok {
		return nil, "", fmt.Errorf("this kind of age public key (%T) is unknown", list[0])
	}
	return list[0], name.String(), nil
}

// Recipients returns the public keys that Encode encrypts to, as a manifest lists them: sorted and without duplicates.
// Their manifest.RecipientsTag is the <r> of a key.
func (e *Encoder) Recipients() []string { return slices.Clone(e.names) }

// Choose returns the encoding for content of this size: compressed if compression is set and IsCompressible reports
// true, encrypted if there are recipients. The result depends only on the content. It wraps errors of src.
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
