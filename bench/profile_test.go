//go:build linux

package main

import (
	"math"
	"strings"
	"testing"
)

const samples = `strongroom    1000000 
	          2a5200 crypto/internal/fips140/sha256.blockSHANI.abi0
	          2a3e4b crypto/internal/fips140/sha256.(*Digest).Write

strongroom    2000000 
	ffffffff8220193c _copy_to_iter
	ffffffff8220186a tcp_recvmsg
	ffffffff815e9c82 sock_read_iter
	ffffffff815e9c82 vfs_read
	           9116b syscall.read

strongroom    4000000 
	ffffffff8220193c _copy_to_iter
	ffffffff815e9c82 vfs_read
	           9116b syscall.read

strongroom    8000000 
	           9116b main.run

strongroom   16000000 
	ffffffff8220193c clear_page
	ffffffff8220193c exc_page_fault
	           9116b main.run

`

func TestSamplesAreGrouped(t *testing.T) {
	t.Parallel()
	got, err := readSamples(strings.NewReader(samples))
	if err != nil {
		t.Fatal(err)
	}
	want := [len(groupNames)]float64{hashing: .001, networking: .002, filing: .004, rest: .008, memory: .016}
	for g := range want {
		if math.Abs(got[g]-want[g]) > 1e-9 {
			t.Errorf("%s has %v s, want %v", groupNames[g], got[g], want[g])
		}
	}
	if _, err := readSamples(strings.NewReader("strongroom x\n")); err == nil {
		t.Error("a sample without a period is no error")
	}
}

func TestChartHasAllBars(t *testing.T) {
	t.Parallel()
	p := &profile{count: 2, bars: []bar{
		{step: "A: a & b", program: "floor copy", groups: [len(groupNames)]float64{hashing: 2}},
		{step: "A: a & b", program: "strongroom", groups: [len(groupNames)]float64{hashing: 2, networking: 1}},
	}}
	picture := p.svg()
	for _, text := range []string{"A: a &amp; b</text>", ">floor copy<", ">strongroom<", ">1.00 s<", ">1.50 s<", "SHA-256: 1.00 s", "network: 0.50 s"} {
		if !strings.Contains(picture, text) {
			t.Errorf("the chart lacks %q:\n%s", text, picture)
		}
	}
}
