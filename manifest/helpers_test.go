package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const testID = "6f8ad0a0-3c5e-4b1e-9d43-0f6f1f5f4c11"

var testTime = time.Date(2026, 3, 1, 4, 5, 6, 789_000_001, time.UTC)

var testZone = time.FixedZone("CET", 3600)

// content is the hash of content that its label identifies.
func content(label string) Hash { return Sum([]byte(label)) }

// plainFile is a closed file as the simplest of backups stores it.
func plainFile(name string, sequence, size int64) File {
	hash := content(fmt.Sprint(name, " ", sequence))
	return File{
		Name: name, Size: size, Modified: testTime, SHA256: hash, Snapshot: sequence, State: Closed,
		Parts: []Part{{
			Object: DataKey(name, hash, sequence, Plain, nil), Size: size, SHA256: hash,
			Stored: StoredSums{Size: size, CRC32C: CRC32C(size)},
		}},
		Check: &Check{By: "je", Entries: size / 100, Result: CheckOK},
	}
}

// testManifest is a manifest with one of everything.
func testManifest() *Manifest {
	recipients := []string{"age1second", "age1first"}
	bundled := plainFile("0000002a.jdb", 41, 1000)
	bundled.Parts[0].Object = BundleKey(content("bundle"), 41)
	bundled.Parts[0].Stored.Offset = new(int64(0))

	damaged := plainFile("0000002b.jdb", 42, 5000)
	damaged.Check = &Check{By: "je", Entries: 7, Result: CheckDamaged, At: new(int64(4711)), Why: `entry 8: checksum 0a & "0b" differ`}
	damaged.Parts[0].Stored.MD5 = "0123456789abcdef0123456789abcdef"

	sealed := plainFile("déjà vu/0000002c <1>.jdb", 42, 70_000)
	sealed.Check = nil
	sealed.Parts[0].Encoding = ZstdAge
	sealed.Parts[0].Object = DataKey(sealed.Name, sealed.SHA256, 42, ZstdAge, recipients)
	sealed.Parts[0].Stored = StoredSums{Size: 30_000, SHA256: content("sealed"), CRC32C: 0xdeadbeef}

	tail := plainFile("déjà vu/0000002d.jdb", 41, 3000)
	tail.State, tail.SHA256, tail.Snapshot = Tail, content("both"), 42
	tail.Parts[0].Encoding = Zstd
	tail.Parts[0].Object = DataKey(tail.Name, tail.Parts[0].SHA256, 41, Zstd, nil)
	tail.Parts[0].Stored = StoredSums{Size: 900, SHA256: content("stretch 1"), CRC32C: 1}
	stretch := content("plain stretch 2")
	tail.Parts = append(tail.Parts, Part{
		Object: BundleKey(content("bundle 2"), 42), Size: 500, SHA256: stretch,
		Stored: StoredSums{Size: 500, CRC32C: 2, Offset: new(int64(4096))},
	})
	tail.Size += 500

	m := &Manifest{
		Summary: Summary{
			Format: Format, Archive: testID, Sequence: 42, Created: testTime,
			Parent: &Ref{Sequence: 41, SHA256: content("parent")},
			Node:   "orders-1", Tool: "strongroom 1.0.0", Layout: "je",
			ConsistentThrough: &Point{Name: tail.Name, Size: tail.Size},
			Counts:            Counts{Added: 3, AddedBytes: 75_500, Removed: 1, Changed: 2},
			DurationMS:        1234,
		},
		Recipients: recipients,
		Files:      []File{bundled, damaged, sealed, tail},
	}
	return recount(m)
}

// recount sets the totals to those of the entries.
func recount(m *Manifest) *Manifest {
	c := Counts{Added: m.Counts.Added, AddedBytes: m.Counts.AddedBytes, Removed: m.Counts.Removed, Changed: m.Counts.Changed}
	for i := range m.Files {
		c.Add(&m.Files[i])
	}
	m.Counts = c
	return m
}

// manyFiles are n closed files in name order.
func manyFiles(n int) []File {
	files := make([]File, n)
	for i := range files {
		files[i] = plainFile(fmt.Sprintf("%08x.jdb", i), 1, 10_000_000+int64(i))
	}
	return files
}

func testRecord() *Record {
	return &Record{
		Format: Format, Archive: testID, Number: 7, Parent: &RecordRef{Number: 6, SHA256: content("record 6")},
		Created: testTime, Why: "prune --keep-last 2", Newest: 42,
		Kept: []Kept{
			{Ref: Ref{Sequence: 12, SHA256: content("12")}, Held: "audit <2025> & more"},
			{Ref: Ref{Sequence: 41, SHA256: content("41")}},
			{Ref: Ref{Sequence: 42, SHA256: content("42")}},
		},
		Removed: []int64{13, 40},
	}
}

func testArchive() *Archive {
	return &Archive{Format: Format, ID: testID, Created: testTime, Layout: "je"}
}

// rawJSON encodes a value as our writer would if it checked nothing.
func rawJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := encodeJSON(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustEncode(t testing.TB, v interface{ Encode() ([]byte, error) }) []byte {
	t.Helper()
	b, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkAccepted compares what a decoder accepted with a foreign JSON reader: the text must be JSON,
// and encoding it again must give the same.
func checkAccepted(t interface{ Fatalf(string, ...any) }, data, again []byte, unknown bool) {
	if !json.Valid(data) || !utf8.Valid(data) {
		t.Fatalf("accepted, and neither JSON nor UTF-8: %q", data)
	}
	if unknown {
		return // the skipped fields are missing in the encoder's output
	}
	a, b := generic(data), generic(again)
	if !bytes.Equal(a, b) {
		t.Fatalf("read as something else:\n%s\n%s", a, b)
	}
}

// generic brings JSON into one form, by way of encoding/json alone.
func generic(data []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	v = normal(v)
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// normal removes differences without meaning: forms of times, and optional fields with empty
// values.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(key string, x any) bool {
			list, ok := x.([]any)
			return key == "why" && x == "" || key == "recipients" && ok && len(list) == 0
		})
		for key := range v {
			if s, ok := v[key].(string); ok && (key == "created" || key == "modified") {
				when, err := time.Parse(time.RFC3339Nano, s)
				if err != nil {
					panic(err)
				}
				v[key] = when.UnixNano()
				continue
			}
			v[key] = normal(v[key])
		}
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	}
	return v
}

// allocated returns the number of bytes that f allocates in all, which is no less than its memory
// at any one time.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func seq(names []string) func(func(string) bool) { return slices.Values(names) }

// wantFault fails unless the error has this text.
func wantFault(t testing.TB, err error, fault string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted; it should be refused for %q", fault)
	}
	if !strings.Contains(err.Error(), fault) {
		t.Fatalf("refused for %q, not for %q", err, fault)
	}
}
