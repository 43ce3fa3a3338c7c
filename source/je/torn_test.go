package je_test

import (
	"hash/adler32"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/je"
)

// logs are the log files of all generations that a test may damage, by name.
var logs = []struct {
	name    string
	version uint32
}{{"small", 6}, {"large entries", 26}, {"je6", 6}, {"je15", 15}, {"je26", 26}, {"je26-vlsn", 26}, {"je26-erased", 26}}

func logFiles(t *testing.T, name string) []entriestest.LogFile {
	t.Helper()
	switch name {
	case "small":
		return small(t)
	case "large entries":
		random := rand.NewChaCha8([32]byte{1})
		one, two := entriestest.NewJE(26, 0, 0), entriestest.NewJE(26, 1, 0)
		for _, l := range []*entriestest.JELog{one, two} {
			for _, size := range []int{700_000, 10, 0, 300_000, 0, 0, 100_000, 40, 500_000} {
				item := make([]byte, size)
				random.Read(item)
				l.Add(entriestest.JERecord, item)
			}
		}
		return []entriestest.LogFile{{Name: "00000000.jdb", Bytes: one.Bytes}, {Name: "00000001.jdb", Bytes: two.Bytes}}
	}
	files := entriestest.Fixture(t, name)
	if testing.Short() {
		return files[len(files)-2:]
	}
	return files
}

func plain(version uint32) entriestest.Plain {
	p := entriestest.Plain{Sum: adler32.Checksum, VLSN: 0x28, Invisible: 0x10, MaxItem: math.MaxInt32}
	p.Erases = version >= 17
	if version < 7 {
		p.VLSN, p.Invisible = 0x20, 0
	}
	return p
}

// Damage in the newest file passed as the end of the log, unless it was one entry alone that was
// damaged.
func TestTorn(t *testing.T) {
	t.Parallel()
	for _, test := range logs {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rounds := 60
			if testing.Short() {
				rounds = 4
			}
			entriestest.Torn(t, je.NewReader, plain(test.version), logFiles(t, test.name), rounds)
		})
	}
}

// The files that a database leaves behind when it dies are no damage.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	for _, test := range logs {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rounds := 200
			if testing.Short() {
				rounds = 20
			}
			entriestest.Unfinished(t, je.NewReader, logFiles(t, test.name), rounds)
		})
	}
}
