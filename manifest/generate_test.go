package manifest

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// The generators below give anything that the format allows, unusual values often.

func genText(max int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		runes := []rune{'a', 'Z', '0', ' ', '"', '\\', '<', '&', 'é', '\u2028', '漢', '😀', '\u200e'}
		return rapid.StringOfN(rapid.SampledFrom(runes), 1, max/4, max).Draw(t, "text")
	})
}

func genTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		s := rapid.Int64Range(-62_167_219_200, 253_402_300_799).Draw(t, "seconds")
		n := rapid.SampledFrom([]int64{0, 1, 500_000_000, 999_999_999}).Draw(t, "nanoseconds")
		return time.Unix(s, n).UTC()
	})
}

func genHash() *rapid.Generator[Hash] {
	return rapid.Custom(func(t *rapid.T) Hash { return content(fmt.Sprint(rapid.Uint32().Draw(t, "hash"))) })
}

func genPart(name string, sequence int64) *rapid.Generator[Part] {
	return rapid.Custom(func(t *rapid.T) Part {
		p := Part{
			SHA256:   genHash().Draw(t, "part"),
			Encoding: rapid.SampledFrom([]string{Plain, Zstd, Age, ZstdAge}).Draw(t, "encoding"),
		}
		bundled := rapid.Bool().Draw(t, "bundled")
		limit := int64(MaxFileSize / MaxTailParts)
		if bundled {
			limit = BundlePart
		}
		stored := rapid.Int64Range(1, sequence).Draw(t, "stored for")
		p.Size = rapid.Int64Range(0, limit).Draw(t, "size")
		p.Stored = StoredSums{Size: p.Size, CRC32C: CRC32C(rapid.Uint32().Draw(t, "crc"))}
		if p.Encoding != Plain {
			p.Stored.Size = rapid.Int64Range(0, limit).Draw(t, "stored size")
			p.Stored.SHA256 = genHash().Draw(t, "stored")
		}
		if rapid.Bool().Draw(t, "md5") {
			p.Stored.MD5 = p.SHA256.String()[:32]
		}
		if !bundled {
			p.Object = DataKey(name, p.SHA256, stored, p.Encoding, []string{"age1x"})
			return p
		}
		p.Object = BundleKey(genHash().Draw(t, "bundle"), stored)
		p.Stored.Offset = new(rapid.Int64Range(0, MaxBundle-p.Stored.Size).Draw(t, "offset"))
		return p
	})
}

func genFile(name string, sequence int64) *rapid.Generator[File] {
	return rapid.Custom(func(t *rapid.T) File {
		f := File{
			Name: name, State: Closed, Modified: genTime().Draw(t, "modified"),
			Snapshot: rapid.Int64Range(1, sequence).Draw(t, "snapshot"),
		}
		n := 1
		if rapid.Bool().Draw(t, "tail") {
			f.State = Tail
			n = rapid.SampledFrom([]int{1, 2, MaxTailParts}).Draw(t, "parts")
		}
		for range n {
			p := genPart(name, sequence).Draw(t, "part")
			f.Parts = append(f.Parts, p)
			f.Size += p.Size
		}
		f.SHA256 = f.Parts[0].SHA256
		if n > 1 {
			f.SHA256 = genHash().Draw(t, "whole")
		}
		switch rapid.IntRange(0, 2).Draw(t, "check") {
		case 1:
			n := rapid.Int64Min(0).Draw(t, "entries")
			f.Check = &Check{
				By: "noxu", Entries: n, Result: CheckOK,
				Last: rapid.Int64Range(0, f.Size).Draw(t, "last"), Previous: rapid.Int64Range(0, MaxFileSize).Draw(t, "previous"),
				Invisible: rapid.Int64Range(0, n).Draw(t, "invisible"), Erased: rapid.Int64Range(0, n).Draw(t, "erased"),
			}
		case 2:
			at := rapid.Int64Range(0, f.Size).Draw(t, "at")
			f.Check = &Check{By: "je", Result: CheckDamaged, At: &at, Why: genText(300).Draw(t, "why")}
		}
		return f
	})
}

// genFiles gives up to n entries in name order.
func genFiles(n int, sequence int64) *rapid.Generator[[]File] {
	return rapid.Custom(func(t *rapid.T) []File {
		shapes := []string{"%08x.jdb", "d/%08x.jdb", "déjà vu/%08x", "a&<%08x>\u2028", `"%08x"`, "%08x%%.JDB"}
		numbers := rapid.SliceOfNDistinct(rapid.Uint32(), 0, n, rapid.ID[uint32]).Draw(t, "numbers")
		names := make([]string, len(numbers))
		for i, x := range numbers {
			names[i] = fmt.Sprintf(rapid.SampledFrom(shapes).Draw(t, "shape"), x)
		}
		slices.Sort(names)
		files := make([]File, len(names))
		for i, name := range names {
			files[i] = genFile(name, sequence).Draw(t, "file")
		}
		return files
	})
}

func genSummary() *rapid.Generator[Summary] {
	return rapid.Custom(func(t *rapid.T) Summary {
		s := Summary{
			Format: Format, Archive: testID,
			Sequence: rapid.Int64Range(1, MaxSequence).Draw(t, "sequence"),
			Created:  genTime().Draw(t, "created"),
			Node:     genText(MaxNodeBytes).Draw(t, "node"), Tool: genText(MaxNodeBytes).Draw(t, "tool"),
			Layout:     genText(MaxNodeBytes).Draw(t, "layout"),
			DurationMS: rapid.Int64Min(0).Draw(t, "duration"),
		}
		if s.Sequence > 1 && rapid.Bool().Draw(t, "has parent") {
			s.Parent = &Ref{Sequence: rapid.Int64Range(1, s.Sequence-1).Draw(t, "parent"), SHA256: genHash().Draw(t, "parent")}
		}
		if rapid.Bool().Draw(t, "has point") {
			s.ConsistentThrough = &Point{Name: "d/a b.jdb", Size: rapid.Int64Range(0, MaxFileSize).Draw(t, "point")}
		}
		for _, n := range []*int64{&s.Counts.Added, &s.Counts.AddedBytes, &s.Counts.Removed, &s.Counts.Changed} {
			*n = rapid.Int64Range(0, 1<<62).Draw(t, "count")
		}
		genNotes(t, &s)
		return s
	})
}

// genNotes sets some of the optional fields, as long as they are.
func genNotes(t *rapid.T, s *Summary) {
	set := func(name string) bool { return rapid.Bool().Draw(t, "has "+name) }
	if set("writer") {
		s.Writer = testID
	}
	if set("accepted") {
		s.Accepted = rapid.SliceOfNDistinct(rapid.SampledFrom([]Guard{GuardRollback, GuardTakeOver, GuardMissing, GuardFork}), 1, 4, rapid.ID[Guard]).Draw(t, "accepted")
	}
	if set("left out") {
		s.LeftOut = &LeftOut{Files: rapid.Int64Range(1, 1<<62).Draw(t, "left out"), Example: "d/00000001.jdb"}
	}
	if s.Sequence > 1 && set("fork") {
		s.ForkedFrom = &Ref{Sequence: rapid.Int64Range(1, s.Sequence-1).Draw(t, "fork"), SHA256: genHash().Draw(t, "fork")}
	}
	if s.Sequence > 1 && s.ForkedFrom == nil && set("rewound") {
		s.RewoundFrom = &Ref{Sequence: rapid.Int64Range(1, s.Sequence-1).Draw(t, "rewound"), SHA256: genHash().Draw(t, "rewound")}
	}
	if set("label") {
		s.Labels = map[string]string{"group": genText(maxShortText).Draw(t, "label")}
	}
	if set("role") {
		s.Role = genText(maxShortText).Draw(t, "role")
	}
	if set("log end") {
		s.LogEnd = &LogEnd{VLSN: rapid.Int64Range(1, 1<<62).Draw(t, "vlsn"), Position: genText(maxShortText).Draw(t, "position")}
	}
}

func genManifest() *rapid.Generator[*Manifest] {
	return rapid.Custom(func(t *rapid.T) *Manifest {
		m := &Manifest{Summary: genSummary().Draw(t, "summary")}
		m.Files = genFiles(5, m.Sequence).Draw(t, "files")
		m.Recipients = rapid.SliceOfN(genText(80), 0, 3).Draw(t, "recipients")
		if len(m.Recipients) == 0 {
			m.Recipients = nil
		}
		return recount(m)
	})
}

func genRecord() *rapid.Generator[*Record] {
	return rapid.Custom(func(t *rapid.T) *Record {
		r := &Record{
			Format: Format, Archive: testID, Number: rapid.Int64Range(1, MaxSequence).Draw(t, "number"),
			Created: genTime().Draw(t, "created"), Why: genText(100).Draw(t, "why"), Kept: []Kept{}, Removed: []int64{},
		}
		if r.Number > 1 && rapid.Bool().Draw(t, "has parent") {
			r.Parent = &RecordRef{Number: rapid.Int64Range(1, r.Number-1).Draw(t, "parent"), SHA256: genHash().Draw(t, "parent")}
		}
		numbers := rapid.SliceOfNDistinct(rapid.Int64Range(1, 40), 1, 20, rapid.ID[int64]).Draw(t, "numbers")
		slices.Sort(numbers)
		r.Newest = numbers[len(numbers)-1]
		for _, n := range numbers {
			switch k := (Kept{Ref: Ref{Sequence: n, SHA256: genHash().Draw(t, "kept")}}); {
			case n == r.Newest || rapid.Bool().Draw(t, "keep"):
				if rapid.Bool().Draw(t, "hold") {
					k.Held = genText(50).Draw(t, "held")
				}
				r.Kept = append(r.Kept, k)
			default:
				r.Removed = append(r.Removed, n)
			}
		}
		if rapid.Bool().Draw(t, "some are left out") {
			if rapid.Bool().Draw(t, "nothing is there yet") {
				r.Newest, r.Kept, r.Removed = 0, []Kept{}, []int64{}
			}
			r.Removed = append(r.Removed, rapid.Int64Range(41, 45).Draw(t, "left out"))
		}
		if rapid.Bool().Draw(t, "some are void") {
			r.Void = rapid.SliceOfNDistinct(rapid.Int64Range(41, 50), 1, 5, rapid.ID[int64]).Draw(t, "void")
			slices.Sort(r.Void)
		}
		return r
	})
}
