$ErrorActionPreference = 'Stop'
[Console]::OutputEncoding = New-Object Text.UTF8Encoding $false
$in = New-Object IO.StreamReader([Console]::OpenStandardInput(), (New-Object Text.UTF8Encoding $false))
$q = $in.ReadToEnd() | ConvertFrom-Json
try { & ([ScriptBlock]::Create($q.script)) $q.request }
catch { [Console]::Error.WriteLine($_.Exception.Message); exit 64 }
