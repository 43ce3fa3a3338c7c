// Package mem stores archives in the memory of this process, for tests and trials.
package mem
