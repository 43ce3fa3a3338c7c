package archive

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/internal/checker"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/manifest"
)

// VerifyOptions are the options of Verify. The zero value checks the whole archive without reading data objects.
type VerifyOptions struct {
	Snapshots []Selector // limits Verify to these snapshots and their objects; empty means the whole archive
	Checksums bool       // request each object's checksum from the provider
	ReadData  bool       // fetch and hash everything: only this finds bit rot
	Sample    float64    // the fraction of the stored bytes to fetch and hash, the longest unread first; 0 disables it

	// Thaw makes a verify with ReadData thaw what must be thawed to be read back, and wait for that. Without it, these
	// objects are counted (VerifyReport.Unthawed) and not read.
	Thaw *ThawOptions

	// Proof stores a verification record of the whole archive below proofs/. Without it, and with Snapshots,
	// no record is written.
	Proof bool
	Tool  string // program name and version, for the verification record

	// Repair restores missing and damaged objects from these sources; nil disables it. It requires a verify of
	// the whole archive, without Snapshots.
	Repair *RepairFrom
}

// RepairFrom lists the sources from which a repair restores lost objects. Before it changes anything, a repair
// compares what it reads there with the hashes in the manifests.
type RepairFrom struct {
	Source  Source     // the database's directory; nil if there is none
	Copies  []*Archive // copies of the archive
	Others  []*Archive // other archives of the same database
	Scratch string     // the directory for temporary objects over 16 MiB; empty means os.TempDir
}

// Verify compares the archive with its manifests. It checks the hash chain, each manifest and page, and by
// listing the presence and size of every object. Problems are in the report and are no error; an error means
// that Verify could not complete. If a repair had begun by then, Verify also returns the report, which lists
// what the repair had restored or deleted.
func (a *Archive) Verify(ctx context.Context, o VerifyOptions) (*VerifyReport, error) {
	return checker.Verify(ctx, a.repo, o.inner())
}

// LatestProof returns the newest readable verification record of a kind; nil if there is none.
func (a *Archive) LatestProof(ctx context.Context, kind string) (*manifest.Proof, error) {
	return a.repo.Findings.LatestProof(ctx, kind)
}

// LastFindings returns what the latest verify of the archive with this id found; nil if there was none. The problems
// include those that only an earlier verify found, in objects that are still as they were then.
func (a *Archive) LastFindings(ctx context.Context, id string) (*VerifyFindings, error) {
	return a.repo.Findings.LastFindings(ctx, id)
}

// CheckID returns ErrLostID if archive.json is missing. It is for an archive in which snapshots were found.
func (a *Archive) CheckID(ctx context.Context) error {
	return a.repo.CheckID(ctx)
}

// inner returns the options as package checker has them.
func (o *VerifyOptions) inner() checker.Options {
	in := checker.Options{
		Snapshots: o.Snapshots, Checksums: o.Checksums, ReadData: o.ReadData, Sample: o.Sample, Thaw: o.Thaw, Proof: o.Proof,
		Tool: o.Tool,
	}
	if from := o.Repair; from != nil {
		in.Repair = &checker.RepairFrom{Source: from.Source, Copies: repos(from.Copies), Others: repos(from.Others), Scratch: from.Scratch}
	}
	return in
}

func repos(archives []*Archive) []*repo.Repo {
	var all []*repo.Repo
	for _, a := range archives {
		all = append(all, a.repo)
	}
	return all
}
