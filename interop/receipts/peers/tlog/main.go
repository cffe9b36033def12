// Proofs of golang.org/x/mod/sumdb/tlog over a tree file of ours: the hashes stand in the order that tlog itself uses, behind
// a header of 32 octets.
//
//	tlog <tree file> <size> <from> < indices
//
// Prints one JSON line: root, SHA-256 over all inclusion proofs and over the consistency proof from <from>, nanoseconds for
// the inclusion proofs in all, and whether tlog itself accepts what it made.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

type file struct{ *os.File }

func (f file) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if _, err := f.ReadAt(hashes[i][:], 32+32*index); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	opened, err := os.Open(os.Args[1])
	if err != nil {
		return err
	}
	reader := file{opened}
	size, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		return err
	}
	from, err := strconv.ParseInt(os.Args[3], 10, 64)
	if err != nil {
		return err
	}
	var indices []int64
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		index, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			return err
		}
		indices = append(indices, index)
	}
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		return err
	}
	proofs := make([]tlog.RecordProof, len(indices))
	start := time.Now()
	for i, index := range indices {
		if proofs[i], err = tlog.ProveRecord(size, index, reader); err != nil {
			return err
		}
	}
	spent := time.Since(start)
	accepted := true
	all := sha256.New()
	for i, index := range indices {
		for _, hash := range proofs[i] {
			all.Write(hash[:])
		}
		leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return err
		}
		accepted = accepted && tlog.CheckRecord(proofs[i], size, root, index, leaf[0]) == nil
	}
	tree := sha256.New()
	if from > 0 {
		older, err := tlog.TreeHash(from, reader)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(size, from, reader)
		if err != nil {
			return err
		}
		for _, hash := range proof {
			tree.Write(hash[:])
		}
		accepted = accepted && tlog.CheckTree(proof, size, root, from, older) == nil
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"root":        hex.EncodeToString(root[:]),
		"inclusion":   hex.EncodeToString(all.Sum(nil)),
		"consistency": hex.EncodeToString(tree.Sum(nil)),
		"nanoseconds": spent.Nanoseconds(),
		"accepted":    accepted,
	})
}
