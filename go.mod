module connecthub

go 1.26
