package values

// CopyOptions configures Copy. The zero value is ready for use.
type CopyOptions struct {
	Tool   string // for Reencrypt alone: program name and version
	DryRun bool   // reports what would be copied, and writes nothing
	// Thaw makes the copy thaw what it reads of the source, and wait for that. If it is nil, the error for a source
	// that must be thawed is a FrozenError.
	Thaw    *ThawOptions
	Scratch string // the directory for objects over 16 MiB in transit, two at a time; empty: os.TempDir
}

// CopyReport reports what a copy did, or what a dry run would do.
type CopyReport struct {
	Archive   string  `json:"archive"`   // the id of both archives
	Snapshots []int64 `json:"snapshots"` // the snapshots that were copied, ascending
	Newest    int64   `json:"newest"`    // the target's newest snapshot now; 0 if it has none
	Objects   int     `json:"objects"`   // data objects, bundles and pages that were sent
	Bytes     int64   `json:"bytes"`     // stored bytes of those objects
	Adopted   int     `json:"adopted"`   // objects that were adopted from an interrupted copy
	// Uncompared are those of Adopted that must be thawed before they can be read. Their size and the checksum that the
	// target reports are right, and other writers can forge both.
	Uncompared int       `json:"uncompared"`
	Problems   []Problem `json:"problems"` // why snapshots could not be copied; these were skipped
	Warnings   []string  `json:"warnings"`

	Plan ReadPlan `json:"-"` // of a dry run of Copy: what would be read from the source
}
