package guard

import (
	"github.com/strongroom-dev/strongroom/manifest"
)

// A likeness is how a log file relates to the version of it that the base has, entry by entry.
type likeness int

const (
	likeSame    likeness = iota // it has all archived entries, and perhaps more after them
	likeCut                     // its last entry is an archived one, and the archive has more after that
	likeDamaged                 // where it ceases to have the archived entries, it has no valid one
	likeOther                   // it has another valid entry where the archive has one
	likeUnknown                 // its entries cannot be compared
)

// An identityMatch is whether a name in the source is still the file that it was when the base was made.
type identityMatch int

const (
	identityUnknown identityMatch = iota
	identitySame
	identityOther
)

// A fileComparison is one log file that both the base and the source have, and that may differ.
type fileComparison struct {
	name      string
	was       manifest.State
	isShorter bool  // than the base's version
	size      int64 // bytes that the base has of it
	since     int64 // the snapshot that first held these bytes
	how       likeness
	shared    int64  // the length of the same entries at the beginning, or sharedUnknown
	why       string // of likeUnknown
}

// sharedUnknown means that this host cannot read the archived entries.
const sharedUnknown = -1

// sourceEvidence is what decides about a tail, beside its content.
type sourceEvidence struct {
	tail        string        // name of the base's tail; empty if it has none
	tailGone    bool          // the source ends before it
	sameTail    identityMatch // of the tail
	sameBefore  identityMatch // of the last closed file before the tail
	otherWriter bool          // another writer made the base
}

// A historyVerdict is how the history of a source relates to that of the archive.
type historyVerdict int

const (
	historyContinues historyVerdict = iota
	historyUnknown                  // a file differs, and its entries cannot be compared
	historyRewound                  // the database lost the end of its newest file, and went on from before
	historyForked                   // the source has another history than the archive
)

// judgeHistory decides whether a source continues the history of the base. The files are in the order of the log. It
// returns the file that decides; nil if there is none, or if the tail is gone.
//
// A closed file never changes, except in place, which the comparison accepts. The end of the tail may be lost in a power
// loss, or cut off when the database starts. The database then goes on in the same file. A clone, or a restored
// database, has the same beginning too, but it is another file.
func judgeHistory(files []fileComparison, e *sourceEvidence) (historyVerdict, *fileComparison) {
	verdict, decisive := historyContinues, (*fileComparison)(nil)
	for i := range files {
		f := &files[i]
		if v := judgeFile(f, e); v > verdict {
			verdict, decisive = v, f
		}
	}
	if e.tailGone {
		if v := rewoundOrForked(e.sameBefore, e); v > verdict {
			return v, nil
		}
	}
	return verdict, decisive
}

func judgeFile(f *fileComparison, e *sourceEvidence) historyVerdict {
	switch {
	case f.how == likeSame:
		return historyContinues
	case f.how == likeUnknown:
		return historyUnknown
	case f.was == manifest.Closed && f.how == likeDamaged:
		return historyContinues // it is archived and reported as damaged
	case f.was == manifest.Closed:
		return historyForked
	case f.how == likeDamaged:
		return historyRewound
	case f.shared == 0 && e.sameTail != identitySame:
		// The database began the file once more, as after a power loss that took its header.
		return rewoundOrForked(e.sameBefore, e)
	}
	return rewoundOrForked(e.sameTail, e)
}

// rewoundOrForked decides by the identity of the file in which the database went on.
func rewoundOrForked(m identityMatch, e *sourceEvidence) historyVerdict {
	if m == identityOther || m == identityUnknown && e.otherWriter {
		return historyForked
	}
	return historyRewound
}

// hasOneBranch reports whether all files from the first different one on differ. That is so if the source was rolled
// back to one moment, and went on from there.
func hasOneBranch(files []fileComparison) bool {
	differs := false
	for i := range files {
		switch f := &files[i]; {
		case f.how == likeCut || f.how == likeOther:
			differs = true
		case f.how == likeSame && differs:
			return false
		}
	}
	return true
}
