package guard

import (
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// The verdict decides between a backup that stops and two histories that push each other out of the archive. Each row
// is a state of a source that one of the two must follow from.
func TestJudgeHistory(t *testing.T) {
	t.Parallel()
	closed := func(how likeness) fileComparison {
		return fileComparison{name: "00000003.jdb", was: manifest.Closed, size: 900, shared: 500, how: how}
	}
	tail := func(how likeness, shared int64) fileComparison {
		return fileComparison{name: "00000004.jdb", was: manifest.Tail, size: 900, shared: shared, how: how}
	}
	is := func(files ...fileComparison) []fileComparison { return files }
	same, other := sourceEvidence{sameTail: identitySame}, sourceEvidence{sameTail: identityOther}
	renewed := func(before identityMatch) sourceEvidence {
		return sourceEvidence{sameTail: identityOther, sameBefore: before}
	}
	for _, test := range []struct {
		what  string
		files []fileComparison
		found sourceEvidence
		want  historyVerdict
	}{
		{"nothing differs", nil, sourceEvidence{}, historyContinues},
		{"a copy of the directory goes on", is(closed(likeSame), tail(likeSame, 900)), other, historyContinues},
		{"another writer goes on", is(tail(likeSame, 900)), sourceEvidence{otherWriter: true}, historyContinues},
		{"a closed file was damaged", is(closed(likeDamaged), tail(likeSame, 900)), same, historyContinues},
		{"a closed file cannot be compared", is(closed(likeUnknown)), same, historyUnknown},
		{"a tail cannot be compared", is(tail(likeUnknown, 0)), other, historyUnknown},
		{"a closed file has other entries", is(closed(likeOther)), same, historyForked},
		{"a closed file ends earlier", is(closed(likeCut)), same, historyForked},
		{"the tail was cut", is(tail(likeCut, 500)), same, historyRewound},
		{"the tail was cut and goes on", is(tail(likeOther, 500)), same, historyRewound},
		{"nothing shows which file it is", is(tail(likeOther, 500)), sourceEvidence{}, historyRewound},
		{"another file", is(tail(likeOther, 500)), other, historyForked},
		{"another file that ends earlier", is(tail(likeCut, 500)), other, historyForked},
		{"another writer", is(tail(likeOther, 500)), sourceEvidence{otherWriter: true}, historyForked},
		{
			"another writer of the same file", is(tail(likeOther, 500)),
			sourceEvidence{sameTail: identitySame, otherWriter: true},
			historyRewound,
		},
		{"its end became zeros", is(tail(likeDamaged, 500)), same, historyRewound},
		{"a damaged copy", is(tail(likeDamaged, 500)), other, historyRewound},
		{"unreadable, the same file", is(tail(likeOther, sharedUnknown)), same, historyRewound},
		{"unreadable, another file", is(tail(likeOther, sharedUnknown)), other, historyForked},
		{"begun again in place", is(tail(likeOther, 0)), same, historyRewound},
		{"begun again after a loss", is(tail(likeOther, 0)), renewed(identitySame), historyRewound},
		{"begun again in a copy", is(tail(likeOther, 0)), renewed(identityOther), historyForked},
		{"gone", nil, sourceEvidence{tailGone: true, sameBefore: identitySame}, historyRewound},
		{"gone, and nothing shows which file is before", nil, sourceEvidence{tailGone: true}, historyRewound},
		{"gone in a copy", nil, sourceEvidence{tailGone: true, sameBefore: identityOther}, historyForked},
		{"gone, another writer", nil, sourceEvidence{tailGone: true, otherWriter: true}, historyForked},
		{"rewound and a closed file differs", is(closed(likeOther), tail(likeCut, 500)), same, historyForked},
		{"rewound, and one cannot be compared", is(closed(likeUnknown), tail(likeCut, 500)), same, historyRewound},
	} {
		got, f := judgeHistory(test.files, &test.found)
		if got != test.want {
			t.Errorf("%s: verdict %d, want %d", test.what, got, test.want)
		}
		if decided := f != nil; decided == (got == historyContinues || test.found.tailGone) {
			t.Errorf("%s: the file that decides is %+v", test.what, f)
		}
	}
}

// An accepted rollback explains files that differ from one moment on. It does not explain one in the middle of the log.
func TestRollbackHasOneBranch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		how  []likeness
		want bool
	}{
		{nil, true},
		{[]likeness{likeSame, likeSame}, true},
		{[]likeness{likeSame, likeCut}, true},
		{[]likeness{likeSame, likeOther, likeOther}, true},
		{[]likeness{likeOther, likeSame}, false},
		{[]likeness{likeDamaged, likeSame, likeOther}, true},
	} {
		var files []fileComparison
		for _, how := range test.how {
			files = append(files, fileComparison{how: how})
		}
		if got := hasOneBranch(files); got != test.want {
			t.Errorf("%v: %v", test.how, got)
		}
	}
}

// After a restart the identifier of a file system may be another one. Then the inode and the creation time decide. Equal
// inodes alone prove nothing.
func TestMatchIdentity(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		was, now source.DirID
		want     identityMatch
	}{
		{source.DirID{FS: 1, Inode: 2, Born: 3}, source.DirID{FS: 1, Inode: 2, Born: 3}, identitySame},
		{source.DirID{FS: 1, Inode: 2, Born: 3}, source.DirID{FS: 9, Inode: 2, Born: 3}, identitySame},
		{source.DirID{FS: 1, Inode: 2}, source.DirID{FS: 1, Inode: 2}, identitySame},
		{source.DirID{FS: 1, Inode: 2, Born: 3}, source.DirID{FS: 1, Inode: 2, Born: 4}, identityOther},
		{source.DirID{FS: 1, Inode: 2, Born: 3}, source.DirID{FS: 1, Inode: 5, Born: 3}, identityOther},
		{source.DirID{FS: 1, Inode: 2}, source.DirID{FS: 2, Inode: 2}, identityOther},
		{source.DirID{Inode: 2}, source.DirID{Inode: 2}, identityUnknown},
		{source.DirID{FS: 1, Inode: 2, Born: 3}, source.DirID{}, identityUnknown},
	} {
		if got := matchIdentity(test.was, test.now); got != test.want {
			t.Errorf("%+v and %+v: %d, want %d", test.was, test.now, got, test.want)
		}
	}
}
