package noxu_test

import (
	"hash/crc32"
	"testing"

	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/noxu"
)

var plain = entriestest.Plain{Sum: crc32.ChecksumIEEE, VLSN: 0x28, Invisible: 0x10, MaxItem: 100 << 20}

// logs are the log files that a test may damage, by name.
var logs = map[string]func(testing.TB) []entriestest.LogFile{
	"version 2": func(testing.TB) []entriestest.LogFile { return log(2) },
	"version 3": func(testing.TB) []entriestest.LogFile { return log(3) },
	"noxu3":     func(t testing.TB) []entriestest.LogFile { return entriestest.Fixture(t, "noxu3")[1:] },
}

// Damage in the newest file passed as the end of the log, unless it was one entry alone that was
// damaged.
func TestTorn(t *testing.T) {
	t.Parallel()
	for name, files := range logs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rounds := 60
			if testing.Short() {
				rounds = 4
			}
			entriestest.Torn(t, noxu.NewReader, plain, files(t), rounds)
		})
	}
}

// The files that a database leaves behind when it dies are no damage.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	for name, files := range logs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rounds := 200
			if testing.Short() {
				rounds = 20
			}
			entriestest.Unfinished(t, noxu.NewReader, files(t), rounds)
		})
	}
}
