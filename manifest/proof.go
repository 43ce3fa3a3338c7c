package manifest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The kinds of verification records.
const (
	ProofVerify = "verify" // the result of checking the whole archive
	ProofRead   = "read"   // the time at which each object was last read back without a problem
	ProofDrill  = "drill"  // the result of a test restore, with the user's own check of it
)

// The outcomes of a verify or drill.
const (
	OutcomeOK     = "ok"
	OutcomeFailed = "failed"
)

const (
	// MaxProofBytes is the largest size of a verification record: that of some four million
	// objects.
	MaxProofBytes = 64 << 20
	// MaxProofProblems is how many problems a verification record lists.
	MaxProofProblems = 10_000
	// MaxProofSnapshots is how many of the snapshots with a problem a verification record lists.
	MaxProofSnapshots = 100
	// KeyPrefixLen is how many bytes of a key's SHA-256 a verification record has for an object
	// that was read back.
	KeyPrefixLen = 6
)

// Proof is a verification record: the result of a verify or drill, in an object below proofs/
// that never changes. A restore does not need it, and commands continue without an unreadable one.
type Proof struct {
	Format     string    `json:"format"`
	Archive    string    `json:"archive"`
	Kind       string    `json:"kind"`
	Created    time.Time `json:"created"` // start of the verify or drill, UTC
	DurationMS int64     `json:"duration_ms"`
	Node       string    `json:"node"`
	Tool       string    `json:"tool"`
	Outcome    string    `json:"outcome"`

	// Of a verify.
	Snapshots   int64          `json:"snapshots,omitempty"`    // number of snapshots that were checked
	Objects     int64          `json:"objects,omitempty"`      // number of objects that the snapshots need
	Bytes       int64          `json:"bytes,omitempty"`        // stored bytes of these objects
	ReadObjects int64          `json:"read_objects,omitempty"` // number of objects that were read back
	ReadBytes   int64          `json:"read_bytes,omitempty"`   // plain bytes of the objects that were read back
	Problems    []ProofProblem `json:"problems,omitempty"`     // at most MaxProofProblems
	More        KeyPrefixes    `json:"more,omitempty"`         // the objects of further problems

	// Read has the objects that were read back: each object once, with the last time.
	Read []ReadBack `json:"read,omitempty"`

	// Of a drill.
	Snapshot int64  `json:"snapshot,omitempty"`
	Command  string `json:"command,omitempty"`
	Why      string `json:"why,omitempty"` // the error of a failed drill
	// What was fetched, and how long that took until it was durable, without the check; 0 if it was not measured.
	RestoredFiles int64 `json:"restored_files,omitempty"`
	RestoredBytes int64 `json:"restored_bytes,omitempty"` // plain
	RestoreMS     int64 `json:"restore_ms,omitempty"`
}

// ProofProblem is one problem of an archive.
type ProofProblem struct {
	Object    string  `json:"object"`
	What      string  `json:"what"`
	Detail    string  `json:"detail"`
	Snapshots []int64 `json:"snapshots,omitempty"` // the newest, at most MaxProofSnapshots
}

// ReadBack has the objects that were last read back without a problem at one time.
type ReadBack struct {
	At       time.Time   `json:"at"`
	Prefixes KeyPrefixes `json:"objects"`
}

// KeyPrefixes are the first KeyPrefixLen bytes of the SHA-256 of several keys, end to end.
type KeyPrefixes []byte

// KeyPrefixOf returns the first KeyPrefixLen bytes of the SHA-256 of a key.
func KeyPrefixOf(key string) (m [KeyPrefixLen]byte) {
	sum := Sum([]byte(key))
	copy(m[:], sum[:])
	return m
}

// Set returns the prefixes as a set.
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
		return errors.New("objects are not key prefixes in base64")
	}
	*m = b
	return nil
}

// Encode returns the bytes of a verification record as they are stored.
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

// DecodeProof decodes a verification record. It ignores fields of later versions.
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
	case min(p.DurationMS, p.Snapshots, p.Objects, p.Bytes, p.ReadObjects, p.ReadBytes, p.Snapshot,
		p.RestoredFiles, p.RestoredBytes, p.RestoreMS) < 0:
		return errors.New("a number is negative")
	}
	return nil
}
