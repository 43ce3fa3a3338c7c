package web

import "fmt"

// RestoreEstimate is what a restore of a snapshot would take and cost.
type RestoreEstimate struct {
	Snapshot int64
	Unknown  string // why nothing else is known, as a sentence without its end; empty if it is
	Bytes    int64  // as they are transferred
	Requests int64
	Frozen   int64  // objects that must be thawed first
	Missing  int    // objects that the provider does not have, and that no other figure includes
	Time     string // how long it takes, or why that is not known, as a sentence without its end
	Price    string // what it costs, or why that is not known, as a sentence without its end
}

// RestoreEstimator is a Backend that also estimates restores.
type RestoreEstimator interface {
	// RestoreEstimate returns the last estimate for an archive, and false if there is none. It does not wait: a newer
	// estimate is made in the background. The page shows it at its next update.
	RestoreEstimate(name string, sequence int64) (RestoreEstimate, bool)
}

// estimateText describes what the restore of a snapshot takes and costs; empty if that is not known yet.
func (s *Server) estimateText(name string, sequence int64) string {
	b, ok := s.backend.(RestoreEstimator)
	if !ok {
		return ""
	}
	e, ok := b.RestoreEstimate(name, sequence)
	if !ok {
		return ""
	}
	if e.Unknown != "" {
		return fmt.Sprintf("What a restore of snapshot %d takes is not known: %s.", e.Snapshot, e.Unknown)
	}
	text := fmt.Sprintf("A restore of snapshot %d reads %s with %s. ", e.Snapshot, Size(e.Bytes), count(e.Requests, "request"))
	if e.Frozen > 0 {
		text += fmt.Sprintf("First, %s must be thawed. ", count(e.Frozen, "object"))
	}
	if e.Missing > 0 {
		text += fmt.Sprintf("But %s of it %s missing at the provider: strongroom verify names what is damaged. ",
			count(int64(e.Missing), "object"), map[bool]string{true: "is", false: "are"}[e.Missing == 1])
	}
	return text + e.Time + ". " + e.Price + "."
}
