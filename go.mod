module github.com/uefiexec/uefiexec

go 1.26
