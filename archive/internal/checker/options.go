package checker

import (
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
)

// RepairFrom lists the sources from which a repair restores lost objects. Before it changes anything, a repair
// compares what it reads there with the hashes in the manifests.
type RepairFrom struct {
	Source  values.Source // the database's directory; nil if there is none
	Copies  []*repo.Repo  // copies of the archive
	Others  []*repo.Repo  // other archives of the same database
	Scratch string        // the directory for temporary objects over 16 MiB; empty means os.TempDir
}

// Options are the options of Verify. The zero value checks the whole archive without reading data objects.
type Options struct {
	Snapshots []values.Selector // limits Verify to these snapshots and their objects; empty means the whole archive
	Checksums bool              // request each object's checksum from the provider
	ReadData  bool              // fetch and hash everything: only this finds bit rot
	Sample    float64           // the fraction of the stored bytes to fetch and hash, the longest unread first; 0 disables it

	// Thaw makes a verify with ReadData thaw what must be thawed to be read back, and wait for that. Without it, these
	// objects are counted (VerifyReport.Unthawed) and not read.
	Thaw *values.ThawOptions

	// Proof stores a verification record of the whole archive below proofs/. Without it, and with Snapshots,
	// no record is written.
	Proof bool
	Tool  string // program name and version, for the verification record

	// Repair restores missing and damaged objects from these sources; nil disables it. It requires a verify of
	// the whole archive, without Snapshots.
	Repair *RepairFrom
}
