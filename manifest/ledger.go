package manifest

import (
	"errors"
	"fmt"
	"slices"
)

var (
	recordSchema    = schema{[]string{"format", "archive", "number", "parent", "created", "why", "newest", "kept", "removed", "accepted", "void"}, 9}
	recordRefSchema = schema{[]string{"number", "sha256"}, 2}
	keptSchema      = schema{[]string{"sequence", "sha256", "held"}, 2}
	archiveSchema   = schema{[]string{"format", "id", "created", "layout"}, 4}
)

// Valid reports whether the manifest with this sequence number and hash is a snapshot, if r is the
// newest record of the ledger. Every manifest above Newest is valid, unless its number is in Void; up
// to Newest, only those that the record keeps. A nil record, of an archive without a ledger, makes every manifest valid.
func (r *Record) Valid(sequence int64, hash Hash) bool {
	if r == nil || sequence > r.Newest {
		return !r.IsVoid(sequence)
	}
	k, ok := r.find(sequence)
	return ok && k.SHA256 == hash
}

// ValidNumber is Valid for a caller that has not read the whole manifest and has no hash.
func (r *Record) ValidNumber(sequence int64) bool {
	if r == nil || sequence > r.Newest {
		return !r.IsVoid(sequence)
	}
	_, ok := r.find(sequence)
	return ok
}

// IsVoid reports whether the record excludes a number above its Newest for good.
func (r *Record) IsVoid(sequence int64) bool {
	if r == nil {
		return false
	}
	_, void := slices.BinarySearch(r.Void, sequence)
	return void
}

// Lacks reports whether the record excludes a snapshot with this number: it was dropped, or left
// out by a copy. So its absence is no damage.
func (r *Record) Lacks(sequence int64) bool {
	if r == nil {
		return false
	}
	_, removed := slices.BinarySearch(r.Removed, sequence)
	return removed || !r.ValidNumber(sequence)
}

func (r *Record) find(sequence int64) (Kept, bool) {
	i, ok := slices.BinarySearchFunc(r.Kept, sequence, func(k Kept, s int64) int {
		switch {
		case k.Sequence < s:
			return -1
		case k.Sequence > s:
			return 1
		}
		return 0
	})
	if !ok {
		return Kept{}, false
	}
	return r.Kept[i], true
}

// Encode returns the bytes of a ledger record as they are stored.
func (r *Record) Encode() ([]byte, error) {
	c := *r
	if c.Kept == nil {
		c.Kept = []Kept{}
	}
	if c.Removed == nil {
		c.Removed = []int64{}
	}
	err := c.validate()
	var b []byte
	if err == nil {
		b, err = encodeJSON(&c)
	}
	if err == nil && len(b) > MaxManifestBytes {
		err = fmt.Errorf("%d bytes are more than %d", len(b), MaxManifestBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("encoding ledger record %d: %w", r.Number, err)
	}
	return b, nil
}

// DecodeRecord decodes the ledger record that is stored under the key of a number.
func DecodeRecord(data []byte, number int64) (*Record, error) {
	r := &Record{}
	l := &lexer{data: data}
	err := decode(l, "ledger record", MaxManifestBytes, func() error {
		err := l.object(&recordSchema, func(i int) error { return l.recordField(r, recordSchema.names[i]) })
		if err == nil && r.Number != number {
			err = fmt.Errorf("it has number %d and the key of %d", r.Number, number)
		}
		if err == nil {
			err = r.validate()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	r.Unknown = l.unknown
	return r, nil
}

func (l *lexer) recordField(r *Record, name string) (err error) {
	switch name {
	case "format":
		err = l.format(&r.Format)
	case "archive":
		r.Archive, err = l.string()
	case "number":
		r.Number, err = l.int(MaxSequence)
	case "parent":
		r.Parent, err = l.recordRef()
	case "created":
		r.Created, err = l.time()
	case "why":
		r.Why, err = l.string()
	case "newest":
		r.Newest, err = l.int(MaxSequence)
	case "kept":
		err = l.array(func() error {
			k, err := l.kept()
			r.Kept = append(r.Kept, k)
			return err
		})
	case "accepted":
		r.Accepted, err = l.accepted()
	case "removed":
		r.Removed, err = l.ascending()
	case "void":
		r.Void, err = l.ascending()
	}
	return err
}

// ascending reads numbers in ascending order.
func (l *lexer) ascending() (all []int64, err error) {
	err = l.array(func() error {
		n, err := l.int(MaxSequence)
		if last := len(all) - 1; err == nil && last >= 0 && n <= all[last] {
			err = fmt.Errorf("%d is out of order", n)
		}
		all = append(all, n)
		return err
	})
	return all, err
}

func (l *lexer) recordRef() (*RecordRef, error) {
	if null, err := l.null(); null || err != nil {
		return nil, err
	}
	var r RecordRef
	err := l.object(&recordRefSchema, func(i int) (err error) {
		switch recordRefSchema.names[i] {
		case "number":
			r.Number, err = l.int(MaxSequence)
		case "sha256":
			r.SHA256, err = l.hash()
		}
		return err
	})
	return &r, err
}

func (l *lexer) kept() (k Kept, err error) {
	err = l.object(&keptSchema, func(i int) (err error) {
		switch keptSchema.names[i] {
		case "sequence":
			k.Sequence, err = l.int(MaxSequence)
		case "sha256":
			k.SHA256, err = l.hash()
		case "held":
			if k.Held, err = l.string(); err == nil && k.Held == "" {
				err = errors.New("it is empty; a snapshot that is not held does not have this field")
			}
		}
		return err
	})
	return k, err
}

func (r *Record) validate() error {
	switch {
	case !knownFormat(r.Format):
		return fmt.Errorf("format: %w", wrongFormat(r.Format))
	case !validID(r.Archive):
		return fmt.Errorf("archive: %.80q is not a UUID in lower case", r.Archive)
	case r.Number < 1 || r.Number > MaxSequence:
		return fmt.Errorf("number: %d is not between 1 and %d", r.Number, MaxSequence)
	case r.Parent != nil && (r.Parent.Number < 1 || r.Parent.Number >= r.Number):
		return fmt.Errorf("parent: %d does not come before %d", r.Parent.Number, r.Number)
	case !validTime(r.Created):
		return fmt.Errorf("created: %s is not a time in UTC in the years 0 to 9999", r.Created)
	case !printable(r.Why):
		return fmt.Errorf("why: %.80q is not valid UTF-8 without control characters", r.Why)
	case r.Newest < 0 || r.Newest > MaxSequence:
		return fmt.Errorf("newest: %d is not between 0 and %d", r.Newest, MaxSequence)
	case r.Newest == 0 && (len(r.Kept) > 0 || len(r.Removed) == 0):
		return errors.New("newest: it is 0, which is only valid in a record that keeps no snapshot " +
			"and lists what a copy leaves out")
	}
	if n := len(r.Kept); r.Newest > 0 && (n == 0 || r.Kept[n-1].Sequence != r.Newest) {
		return fmt.Errorf("kept: the newest manifest, %d, must be the last one", r.Newest)
	}
	if err := checkGuards(r.Accepted); err != nil {
		return err
	}
	for i, k := range r.Kept {
		if k.Sequence < 1 || (i > 0 && k.Sequence <= r.Kept[i-1].Sequence) {
			return fmt.Errorf("kept: %d is out of order", k.Sequence)
		}
		if !printable(k.Held) {
			return fmt.Errorf("kept: held: %.80q is not valid UTF-8 without control characters", k.Held)
		}
	}
	for i, n := range r.Removed {
		if _, kept := r.find(n); kept || n < 1 || n > MaxSequence || (i > 0 && n <= r.Removed[i-1]) {
			return fmt.Errorf("removed: %d is kept, out of order or impossible", n)
		}
	}
	for i, n := range r.Void {
		if n <= r.Newest || n > MaxSequence || (i > 0 && n <= r.Void[i-1]) {
			return fmt.Errorf("void: %d is not above the newest, out of order or impossible", n)
		}
	}
	return nil
}

// Encode returns the bytes of archive.json.
func (a *Archive) Encode() ([]byte, error) {
	if err := a.validate(); err != nil {
		return nil, fmt.Errorf("encoding %s: %w", ArchiveKey, err)
	}
	return encodeJSON(a)
}

// IsArchive reports whether this or a later version of strongroom wrote the content of an
// archive.json.
func IsArchive(data []byte) bool {
	_, err := DecodeArchive(data)
	return err == nil || errors.Is(err, ErrVersion) && !errors.As(err, new(foreignFormat))
}

// DecodeArchive decodes the content of archive.json.
func DecodeArchive(data []byte) (*Archive, error) {
	a := &Archive{}
	l := &lexer{data: data}
	err := decode(l, ArchiveKey, SummaryBytes, func() error {
		err := l.object(&archiveSchema, func(i int) (err error) {
			switch archiveSchema.names[i] {
			case "format":
				err = l.format(&a.Format)
			case "id":
				a.ID, err = l.string()
			case "created":
				a.Created, err = l.time()
			case "layout":
				a.Layout, err = l.string()
			}
			return err
		})
		if err == nil {
			err = a.validate()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Archive) validate() error {
	switch {
	case !knownFormat(a.Format):
		return fmt.Errorf("format: %w", wrongFormat(a.Format))
	case !validID(a.ID):
		return fmt.Errorf("id: %.80q is not a UUID in lower case", a.ID)
	case !validTime(a.Created):
		return fmt.Errorf("created: %s is not a time in UTC in the years 0 to 9999", a.Created)
	}
	if err := checkText(a.Layout); err != nil {
		return fmt.Errorf("layout: %w", err)
	}
	return nil
}
