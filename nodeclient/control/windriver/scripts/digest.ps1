param($q)
$folder = Join-Path $env:ProgramData 'ConnectHub\Orchestration\files'
New-Item -ItemType Directory -Force -Path $folder | Out-Null
$answer = @{ folder = '/' + ($folder -replace '\\', '/'); sha256 = '' }
if ($q.name) {
  if ($q.name -notmatch '^[A-Za-z0-9][A-Za-z0-9._()+~-]{0,200}$') { throw 'the name is malformed' }
  $path = Join-Path $folder $q.name
  if (Test-Path -LiteralPath $path) {
    $answer.sha256 = (Get-FileHash -Algorithm SHA256 -LiteralPath $path).Hash.ToLower()
  }
}
$answer | ConvertTo-Json -Compress
