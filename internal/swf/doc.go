// Package swf reads logs in the Standard Workload Format, as `corehour replay`
// takes them from the archives: which user wanted how many processors for how
// long, and how long the job really ran.
//
// It owns the format (Reader, Read), the limits beyond which a job cannot be an
// order of the exchange, and the pure arithmetic by which a job becomes a bid
// (bid.go). It does not own the market that the jobs meet, nor anything of the
// exchange: it knows only the vocabulary.
//
// What always holds: a line that is neither blank nor a comment is one job
// read; it is either accepted or refused for exactly one reason, so accepted +
// all refused = read, whatever the file contains. A value is never guessed: a
// line from which a needed value cannot be read as it stands is refused. No
// line is fatal; only a file of which nothing can be read is an error.
//
// The format: one job a line, at least 18 columns separated by blanks: 1 job,
// 2 submit s, 3 wait s, 4 run s, 5 allocated processors, 6 CPU s used, 7 memory
// KB, 8 requested processors, 9 requested time s, 10 requested memory, 11
// status, 12 user, 13 group, 14 executable, 15 queue, 16 partition, 17 preceding
// job, 18 think time; -1 is unknown; `;` begins a comment. It is described in
// Chapin et al., "Benchmarks and Standards for the Evaluation of Parallel Job
// Schedulers", 1999, and by the Parallel Workloads Archive.
package swf
