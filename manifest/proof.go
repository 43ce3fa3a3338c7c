package manifest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The kinds of proofs.
const (
	ProofVerify = "verify" // what a look at the whole archive found
	ProofRead   = "read"   // when each object was last read back and found good
	ProofDrill  = "drill"  // how a restore went, with the user's own check of it
)

// The outcomes of what a proof tells of.
const (
	OutcomeOK     = "ok"
	OutcomeFailed = "failed"
)

const (
	// MaxProofBytes is the longest proof: that of some four million objects.
	MaxProofBytes = 64 << 20
	// MaxProofProblems is how many problems a proof names.
	MaxProofProblems = 10_000
	// MaxProofSnapshots is how many of the snapshots that have a problem a proof names.
	MaxProofSnapshots = 100
	// KeyPrefixLen is the length of what a proof remembers of a key that was read back: the
	// first bytes of the key's SHA-256.
	KeyPrefixLen = 6
)

// Proof is what a verify or a drill found: an object below proofs/, never changed. Nothing
// is restored by it; who cannot read one goes on without.
type Proof struct {
	Format     string    `json:"format"`
	Archive    string    `json:"archive"`
	Kind       string    `json:"kind"`
	Created    time.Time `json:"created"` // when it began, UTC
	DurationMS int64     `json:"duration_ms"`
	Node       string    `json:"node"`
	Tool       string    `json:"tool"`
	Outcome    string    `json:"outcome"`

	// Of a verify.
	Snapshots   int64          `json:"snapshots,omitempty"`    // looked at
	Objects     int64          `json:"objects,omitempty"`      // that they need
	Bytes       int64          `json:"bytes,omitempty"`        // stored bytes of those
	ReadObjects int64          `json:"read_objects,omitempty"` // that were read back
	ReadBytes   int64          `json:"read_bytes,omitempty"`   // plain bytes of those
	Problems    []ProofProblem `json:"problems,omitempty"`     // at most MaxProofProblems
	More        KeyPrefixes    `json:"more,omitempty"`         // the objects of the other problems, if there are more

	// Of what was read back: each object once, with the last time.
	Read []ReadBack `json:"read,omitempty"`

	// Of a drill.
	Snapshot int64  `json:"snapshot,omitempty"`
	Command  string `json:"command,omitempty"`
	Why      string `json:"why,omitempty"` // it failed
}

// ProofProblem is something that is wrong with an archive.
type ProofProblem struct {
	Object    string  `json:"object"`
	What      string  `json:"what"`
	Detail    string  `json:"detail"`
	Snapshots []int64 `json:"snapshots,omitempty"` // at most MaxProofSnapshots: the newest
}

// ReadBack is the objects that were last read back and found good at one time.
type ReadBack struct {
	At       time.Time   `json:"at"`
	Prefixes KeyPrefixes `json:"objects"`
}

// KeyPrefixes are the first KeyPrefixLen bytes of the SHA-256 of keys, one after the other.
type KeyPrefixes []byte

// KeyPrefixOf is what a proof remembers of a key.
func KeyPrefixOf(key string) (m [KeyPrefixLen]byte) {
	sum := Sum([]byte(key))
	copy(m[:], sum[:])
	return m
}

// Set is the marks one by one.
func (m KeyPrefixes) Set() map[[KeyPrefixLen]byte]bool {
	set := make(map[[KeyPrefixLen]byte]bool, len(m)/KeyPrefixLen)
	for mark := range slices.Chunk(m, KeyPrefixLen) {
		set[[KeyPrefixLen]byte(mark)] = true
	}
	return set
}

// MarshalText implements encoding.TextMarshaler: base64 without padding.
func (m KeyPrefixes) MarshalText() ([]byte, error) {
	return base64.RawStdEncoding.AppendEncode(nil, m), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *KeyPrefixes) UnmarshalText(text []byte) error {
	b, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil || len(b)%KeyPrefixLen != 0 {
		return errors.New("objects are no marks in base64")
	}
	*m = b
	return nil
}

// Encode gives the bytes of a proof as they are stored.
func (p *Proof) Encode() ([]byte, error) {
	err := p.validate()
	var b []byte
	if err == nil {
		b, err = encodeJSON(p)
	}
	if err == nil && len(b) > MaxProofBytes {
		err = fmt.Errorf("%d bytes are more than %d", len(b), MaxProofBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("encoding a proof: %w", err)
	}
	return b, nil
}

// DecodeProof reads a proof. Fields of later versions are passed over.
func DecodeProof(data []byte) (*Proof, error) {
	if len(data) > MaxProofBytes {
		return nil, fmt.Errorf("decoding a proof: %d bytes are more than %d", len(data), MaxProofBytes)
	}
	p := &Proof{}
	err := json.Unmarshal(data, p)
	if err == nil {
		err = p.validate()
	}
	if err != nil {
		return nil, fmt.Errorf("decoding a proof: %w", err)
	}
	return p, nil
}

func (p *Proof) validate() error {
	switch {
	case !knownFormat(p.Format):
		return fmt.Errorf("format: %w", wrongFormat(p.Format))
	case !validID(p.Archive):
		return fmt.Errorf("archive: %.80q is not a UUID in lower case", p.Archive)
	case p.Kind != ProofVerify && p.Kind != ProofRead && p.Kind != ProofDrill:
		return fmt.Errorf("kind %.40q is unknown", p.Kind)
	case !validTime(p.Created):
		return fmt.Errorf("created: %s is not a time in UTC in the years 0 to 9999", p.Created)
	case p.Outcome != OutcomeOK && p.Outcome != OutcomeFailed:
		return fmt.Errorf("outcome %.40q is unknown", p.Outcome)
	case len(p.Problems) > MaxProofProblems:
		return fmt.Errorf("%d problems are more than %d", len(p.Problems), MaxProofProblems)
	case min(p.DurationMS, p.Snapshots, p.Objects, p.Bytes, p.ReadObjects, p.ReadBytes, p.Snapshot) < 0:
		return errors.New("a number is negative")
	}
	return nil
}
