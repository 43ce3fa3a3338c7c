package manifest

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

var (
	fileSchema   = schema{[]string{"name", "size", "modified", "sha256", "parts", "snapshot", "state", "check"}, 8}
	partSchema   = schema{[]string{"object", "size", "sha256", "encoding", "stored"}, 5}
	storedSchema = schema{[]string{"size", "crc32c", "sha256", "md5", "offset"}, 2}
	checkSchema  = schema{[]string{"by", "entries", "result", "at", "why", "last", "previous", "invisible", "erased"}, 3}
)

func (l *lexer) file() (f File, err error) {
	outer := l.unknown
	l.unknown = false
	err = l.object(&fileSchema, func(i int) (err error) {
		switch fileSchema.names[i] {
		case "name":
			f.Name, err = l.string()
		case "size":
			f.Size, err = l.int(MaxFileSize)
		case "modified":
			f.Modified, err = l.time()
		case "sha256":
			f.SHA256, err = l.hash()
		case "parts":
			err = l.array(func() error {
				if len(f.Parts) == MaxTailParts {
					return fmt.Errorf("more than %d parts", MaxTailParts)
				}
				p, err := l.part()
				f.Parts = append(f.Parts, p)
				return err
			})
			f.Parts = slices.Clip(f.Parts)
		case "snapshot":
			f.Snapshot, err = l.int(MaxSequence)
		case "state":
			f.State, err = l.state()
		case "check":
			f.Check, err = l.check()
		}
		return err
	})
	f.Unknown = l.unknown
	l.unknown = l.unknown || outer
	return f, err
}

func (l *lexer) state() (State, error) {
	raw, err := l.rawString()
	switch {
	case err != nil:
		return "", err
	case string(raw) == string(Closed):
		return Closed, nil
	case string(raw) == string(Tail):
		return Tail, nil
	}
	return "", fmt.Errorf("unknown state %.40q", raw)
}

func (l *lexer) encoding() (string, error) {
	raw, err := l.rawString()
	if err != nil {
		return "", err
	}
	for _, known := range []string{Plain, Zstd, Age, ZstdAge} {
		if string(raw) == known {
			return known, nil // the constant, so that each part does not allocate a string
		}
	}
	return "", fmt.Errorf("unknown encoding %.40q", raw)
}

func (l *lexer) part() (p Part, err error) {
	err = l.object(&partSchema, func(i int) (err error) {
		switch partSchema.names[i] {
		case "object":
			p.Object, err = l.stringLike(&l.lastObject)
		case "size":
			p.Size, err = l.int(MaxFileSize)
		case "sha256":
			p.SHA256, err = l.hash()
		case "encoding":
			p.Encoding, err = l.encoding()
		case "stored":
			p.Stored, err = l.stored()
		}
		return err
	})
	return p, err
}

func (l *lexer) stored() (s StoredSums, err error) {
	err = l.object(&storedSchema, func(i int) (err error) {
		switch storedSchema.names[i] {
		case "size":
			s.Size, err = l.int(maxStoredSize)
		case "sha256":
			if s.SHA256, err = l.hash(); err == nil && s.SHA256.IsZero() {
				err = errors.New("no content has this hash")
			}
		case "crc32c":
			var raw []byte
			if raw, err = l.rawString(); err == nil {
				s.CRC32C, err = ParseCRC32C(string(raw))
			}
		case "md5":
			if s.MD5, err = l.string(); err == nil && !validMD5(s.MD5) {
				err = fmt.Errorf("%.80q is not an MD5 of 32 lower-case hex digits", s.MD5)
			}
		case "offset":
			var n int64
			n, err = l.int(MaxBundle)
			s.Offset = &n
		}
		return err
	})
	return s, err
}

// maxStoredSize is larger than MaxFileSize, since an encoding may add some bytes.
const maxStoredSize = 2 * MaxFileSize

// validate checks the fields of stored bytes, but not their relation to the plain content.
func (s *StoredSums) validate(limit int64) error {
	switch {
	case s.Size < 0 || s.Size > limit:
		return fmt.Errorf("%d stored bytes are not between 0 and %d", s.Size, limit)
	case s.MD5 != "" && !validMD5(s.MD5):
		return fmt.Errorf("%.80q is not an MD5 of 32 lower-case hex digits", s.MD5)
	}
	return nil
}

func validMD5(s string) bool { return len(s) == 32 && lowerHex(s) }

func (l *lexer) check() (*Check, error) {
	if null, err := l.null(); null || err != nil {
		return nil, err
	}
	var c Check
	err := l.object(&checkSchema, func(i int) (err error) {
		switch checkSchema.names[i] {
		case "by":
			c.By, err = l.word("je", "noxu")
		case "entries":
			c.Entries, err = l.count()
		case "result":
			c.Result, err = l.word(CheckOK, CheckDamaged)
		case "at":
			var n int64
			n, err = l.int(MaxFileSize)
			c.At = &n
		case "why":
			c.Why, err = l.string()
		case "last":
			c.Last, err = l.int(MaxFileSize)
		case "previous":
			c.Previous, err = l.int(MaxFileSize)
		case "invisible":
			c.Invisible, err = l.count()
		case "erased":
			c.Erased, err = l.count()
		}
		return err
	})
	return &c, err
}

// Validate checks one entry of the manifest with this sequence number. CheckNames checks its name
// together with the others.
func (f *File) Validate(sequence int64) error {
	if err := CheckName(f.Name); err != nil {
		return err
	}
	if err := f.validate(sequence); err != nil {
		return fmt.Errorf("file %.600q: %w", f.Name, err)
	}
	return nil
}

func (f *File) validate(sequence int64) error {
	switch {
	case f.Size < 0 || f.Size > MaxFileSize:
		return fmt.Errorf("size %d is not between 0 and %d", f.Size, int64(MaxFileSize))
	case !validTime(f.Modified):
		return fmt.Errorf("modified: %s is not a time in UTC in the years 0 to 9999", f.Modified)
	case f.Snapshot < 1 || f.Snapshot > sequence:
		return fmt.Errorf("snapshot %d is not between 1 and %d", f.Snapshot, sequence)
	case f.State != Closed && f.State != Tail:
		return fmt.Errorf("unknown state %.40q", f.State)
	case len(f.Parts) == 0 || len(f.Parts) > MaxTailParts:
		return fmt.Errorf("%d parts; there must be between 1 and %d", len(f.Parts), MaxTailParts)
	case f.State == Closed && len(f.Parts) != 1:
		return fmt.Errorf("%d parts; a closed file has one", len(f.Parts))
	case len(f.Parts) == 1 && f.Parts[0].SHA256 != f.SHA256:
		return errors.New("its only part has another hash than the file")
	}
	var sum int64
	for i := range f.Parts {
		if err := f.Parts[i].validate(f.Name, sequence); err != nil {
			return fmt.Errorf("part %d: %w", i+1, err)
		}
		sum += f.Parts[i].Size // 64 parts of 5 TiB do not overflow
	}
	if sum != f.Size {
		return fmt.Errorf("its parts have %d bytes, the file %d", sum, f.Size)
	}
	return f.Check.validate(f.Size)
}

func (p *Part) validate(name string, sequence int64) error {
	k, ok := parseObjectKey(p.Object) // its name is compared with a valid one below
	switch {
	case !ok || k.Prefix == PagesPrefix:
		return fmt.Errorf("%.700q is not the key of a data object or bundle", p.Object)
	case k.Sequence > sequence:
		return fmt.Errorf("%.700q was stored for a later snapshot than %d", p.Object, sequence)
	case p.Size < 0 || p.Size > MaxFileSize:
		return fmt.Errorf("size %d is not between 0 and %d", p.Size, int64(MaxFileSize))
	case p.Encoding != Plain && p.Encoding != Zstd && p.Encoding != Age && p.Encoding != ZstdAge:
		return fmt.Errorf("unknown encoding %.40q", p.Encoding)
	case p.Encoding == Plain && (p.Stored.Size != p.Size || !p.Stored.SHA256.IsZero()):
		return errors.New("it is not encoded, but its stored bytes differ")
	case p.Encoding != Plain && p.Stored.SHA256.IsZero():
		return errors.New("it is encoded, but the stored bytes have no hash")
	}
	if err := p.Stored.validate(maxStoredSize); err != nil {
		return err
	}
	if k.Prefix == BundlesPrefix {
		o := p.Stored.Offset
		if o == nil || *o < 0 || p.Stored.Size > BundlePart || *o > MaxBundle-p.Stored.Size {
			return fmt.Errorf("it is not within the bundle %s", p.Object)
		}
		return nil
	}
	switch {
	case p.Stored.Offset != nil:
		return errors.New("it has an offset but is not in a bundle")
	case k.Hash != p.SHA256 || k.Name != EncodeName(name) || k.Encoding != p.Encoding:
		return fmt.Errorf("%.700q is the key of other content", p.Object)
	}
	return nil
}

// HasNonce reports whether the key of a part has a nonce, which requires Format2.
func (f *File) HasNonce() bool {
	return slices.ContainsFunc(f.Parts, func(p Part) bool { return hasNonce(p.Object) })
}

func hasNonce(key string) bool {
	_, nonce := CutNonce(key)
	return nonce != ""
}

func (c *Check) validate(size int64) error {
	switch {
	case c == nil:
		return nil
	case checkText(c.By) != nil || c.Entries < 0 || !printable(c.Why):
		return errors.New("check: by, entries or why is impossible")
	case c.Last < 0 || c.Last > size || c.Previous < 0 || c.Previous > MaxFileSize:
		return errors.New("check: last or previous is impossible")
	case c.Invisible < 0 || c.Invisible > c.Entries || c.Erased < 0 || c.Erased > c.Entries:
		return errors.New("check: more entries are invisible or erased than there are")
	case c.Result == CheckOK && c.At == nil && c.Why == "":
		return nil
	case c.Result == CheckDamaged && c.At != nil && *c.At >= 0 && *c.At <= size && c.Why != "":
		return nil
	}
	return fmt.Errorf("check: result %.40q is impossible with the other fields", c.Result)
}

// Equal reports whether two entries have the same values.
func (f *File) Equal(g *File) bool {
	return f.Name == g.Name && f.Size == g.Size && f.Modified.Equal(g.Modified) && f.SHA256 == g.SHA256 &&
		f.Snapshot == g.Snapshot && f.State == g.State && f.Check.Equal(g.Check) &&
		slices.EqualFunc(f.Parts, g.Parts, func(a, b Part) bool { return a.equal(&b) })
}

func (p *Part) equal(q *Part) bool {
	return p.Object == q.Object && p.Size == q.Size && p.SHA256 == q.SHA256 && p.Encoding == q.Encoding &&
		p.Stored.Size == q.Stored.Size && p.Stored.SHA256 == q.Stored.SHA256 && p.Stored.CRC32C == q.Stored.CRC32C &&
		p.Stored.MD5 == q.Stored.MD5 && equalInt(p.Stored.Offset, q.Stored.Offset)
}

// Equal reports whether two checks have the same values. nil equals only nil.
func (c *Check) Equal(d *Check) bool {
	if c == nil || d == nil {
		return c == d
	}
	return c.By == d.By && c.Entries == d.Entries && c.Result == d.Result && c.Why == d.Why && equalInt(c.At, d.At) &&
		c.Last == d.Last && c.Previous == d.Previous && c.Invisible == d.Invisible && c.Erased == d.Erased
}

func equalInt(a, b *int64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// addSizes adds sizes from an untrusted manifest. It returns math.MaxInt64 instead of overflowing.
func addSizes(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
