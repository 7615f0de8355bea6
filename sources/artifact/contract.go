package artifact

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
)

// ContractName is the file at a zip's root in which code says what it expects.
const ContractName = "mooring.contract.yaml"

const (
	// maxContract bounds the contract, in bytes unpacked.
	maxContract = 256 << 10
	// maxDirectory bounds what is read of a zip's list of files, in bytes:
	// some 150,000 files.
	maxDirectory = 8 << 20
)

// Contract returns the contract inside a blob; found is false if it has none.
// The bytes are foreign: nothing about them is checked but their length.
func Contract(blob Blob) (contract []byte, found bool, err error) {
	file, err := os.Open(blob.Path)
	if err != nil {
		return nil, false, fmt.Errorf("contract of %s: %w", blob.Digest, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	contract, found, err = readContract(file, blob.Size)
	if err != nil {
		return nil, false, fmt.Errorf("contract of %s: %w", blob.Digest, err)
	}
	return contract, found, nil
}

func readContract(from io.ReaderAt, size int64) ([]byte, bool, error) {
	budget := &budget{from: from, left: maxDirectory}
	archive, err := zip.NewReader(budget, size)
	if budget.spent {
		return nil, false, fmt.Errorf("%w: the zip's list of files has more than %d bytes", ErrTooLarge, maxDirectory)
	}
	if err != nil {
		return nil, false, fmt.Errorf("%w: %v", ErrUnusable, err)
	}
	var at *zip.File
	for _, file := range archive.File {
		if file.Name != ContractName {
			continue
		}
		if at != nil {
			return nil, false, fmt.Errorf("%w: %s is there twice", ErrUnusable, ContractName)
		}
		at = file
	}
	if at == nil {
		return nil, false, nil
	}
	if !at.Mode().IsRegular() {
		return nil, false, fmt.Errorf("%w: %s is not a plain file", ErrUnusable, ContractName)
	}
	budget.left = 2 * maxContract // compressed data may be a little longer than the content
	contract, err := readEntry(at)
	return contract, err == nil, err
}

func readEntry(at *zip.File) (contract []byte, err error) {
	content, err := at.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %v", ErrUnusable, ContractName, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	contract, err = io.ReadAll(io.LimitReader(content, maxContract+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %v", ErrUnusable, ContractName, err)
	}
	if len(contract) > maxContract {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrTooLarge, ContractName, maxContract)
	}
	return contract, nil
}

// budget bounds how much of a file is read.
type budget struct {
	from  io.ReaderAt
	left  int64
	spent bool
}

// ReadAt reads, and fails once the budget is spent.
func (b *budget) ReadAt(p []byte, offset int64) (int, error) {
	if b.left <= 0 {
		b.spent = true
		return 0, ErrTooLarge
	}
	n, err := b.from.ReadAt(p, offset)
	b.left -= int64(n)
	return n, err
}
