package archive

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// The kinds of objects in Stats.
const (
	KindData     = "data"   // a log file, or a section of one
	KindBundle   = "bundle" // many small files, each encoded by itself
	KindPage     = "page"   // a section of the list of files
	KindManifest = "manifest"
	KindLedger   = "ledger"
	KindProof    = "proof" // a verification record
)

// EncodedByPart is the encoding of a bundle: each of its parts has its own, which no listing shows.
const EncodedByPart = "by part"

// StoredKind is what an archive stores of one kind of objects in one encoding.
type StoredKind struct {
	Kind     string `json:"kind"`
	Encoding string `json:"encoding"` // as in manifests, where "" is plain; EncodedByPart for bundles
	Objects  int64  `json:"objects"`
	Bytes    int64  `json:"bytes"` // as stored: compressed, encrypted
}

// Unique counts the different contents among the objects of the kind data, by the SHA-256 of the plain content in their
// keys. A content is stored again under another name of a file, in another encoding, for other recipients, or if a
// backup could not reuse the object.
type Unique struct {
	Contents    int64 `json:"contents"`
	Bytes       int64 `json:"bytes"`        // as stored, each content counted once, with its smallest object
	Repeats     int64 `json:"repeats"`      // objects with a content that another object has, too
	RepeatBytes int64 `json:"repeat_bytes"` // of those, as stored
}

// listed has the kinds of objects that Stats counts, and how the key of an object shows its encoding.
var listed = []struct {
	kind, prefix string
	encodingOf   func(key string) (encoding string, ok bool)
}{
	{KindData, manifest.DataPrefix, objectEncoding},
	{KindBundle, manifest.BundlesPrefix, func(key string) (string, bool) {
		_, ok := manifest.ParseObjectKey(key)
		return EncodedByPart, ok
	}},
	{KindPage, manifest.PagesPrefix, objectEncoding},
	{KindManifest, manifest.ManifestsPrefix, func(key string) (string, bool) {
		_, ok := manifest.ParseManifestKey(key)
		return manifest.Plain, ok
	}},
	{KindLedger, manifest.LedgerPrefix, func(key string) (string, bool) {
		_, ok := manifest.ParseLedgerKey(key)
		return manifest.Plain, ok
	}},
	{KindProof, manifest.ProofsPrefix, func(key string) (string, bool) {
		_, _, ok := manifest.ParseProofKey(key)
		return manifest.Plain, ok
	}},
}

func objectEncoding(key string) (string, bool) {
	k, ok := manifest.ParseObjectKey(key)
	return k.Encoding, ok
}

// tally lists the archive's objects into s. It does not count what has no key of the format.
func (a *Archive) tally(ctx context.Context, s *Stats) error {
	s.Stored, s.Content, s.Unique = []cost.Stored{}, []StoredKind{}, Unique{}
	var contents []storedContent
	for _, of := range listed {
		byEncoding := map[string]*StoredKind{}
		for o, err := range a.repo.Store.List(ctx, of.prefix, "", "") {
			if err != nil {
				return err
			}
			encoding, ok := of.encodingOf(o.Key)
			if !ok {
				continue
			}
			s.Stored = cost.AddStored(s.Stored, o.Class, o.Size)
			if byEncoding[encoding] == nil {
				byEncoding[encoding] = &StoredKind{Kind: of.kind, Encoding: encoding}
			}
			byEncoding[encoding].add(o.Size)
			if of.kind == KindData {
				contents = append(contents, contentOf(&o))
			}
		}
		for _, encoding := range []string{manifest.Plain, manifest.Zstd, manifest.Age, manifest.ZstdAge, EncodedByPart} {
			if k := byEncoding[encoding]; k != nil {
				s.Content = append(s.Content, *k)
			}
		}
	}
	s.Unique = uniqueOf(contents)
	return nil
}

func (k *StoredKind) add(bytes int64) {
	k.Objects++
	k.Bytes = cost.Sum(k.Bytes, max(0, bytes))
}

// storedContent is an object of the kind data. It has the beginning of the hash alone, since an archive may have
// millions of objects: two contents among ten million are taken for one with a probability of one in 300,000.
type storedContent struct {
	hash  uint64
	bytes int64
}

func contentOf(o *store.Object) storedContent {
	k, _ := manifest.ParseObjectKey(o.Key)
	return storedContent{binary.BigEndian.Uint64(k.Hash[:]), max(0, o.Size)}
}

// uniqueOf counts contents. It changes their order.
func uniqueOf(contents []storedContent) (u Unique) {
	slices.SortFunc(contents, func(a, b storedContent) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.bytes, b.bytes))
	})
	for i, c := range contents {
		if i > 0 && c.hash == contents[i-1].hash {
			u.Repeats++
			u.RepeatBytes = cost.Sum(u.RepeatBytes, c.bytes)
			continue
		}
		u.Contents++
		u.Bytes = cost.Sum(u.Bytes, c.bytes)
	}
	return u
}
