$keys = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\*',
  'HKLM:\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall\*'
$software = @(Get-ItemProperty $keys -ErrorAction SilentlyContinue |
  Where-Object { $_.Publisher -like 'Cisco*' -and $_.DisplayName } |
  ForEach-Object { @{ name = [string]$_.DisplayName; version = [string]$_.DisplayVersion } })
$services = @(Get-CimInstance Win32_Service |
  Where-Object { $_.StartMode -eq 'Auto' -and $_.DisplayName -like 'Cisco*' })
$stopped = @($services | Where-Object { $_.State -ne 'Running' } | ForEach-Object { [string]$_.DisplayName })
$pending = (Test-Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending') -or
  (Test-Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired')
$running = ''
foreach ($o in @(Alone { Get-ChildItem (Join-Path $folder '*.json') | ForEach-Object { Look $_.FullName } })) {
  if ($o.state -eq 'running') { $running = [string]$o.id }
  if ($o.restart -and $o.boot -eq $boot) { $pending = $true }
}
@{
  boot = $boot
  software = $software
  updates = @(Get-HotFix | ForEach-Object { [string]$_.HotFixID })
  maintenance = (Test-Path (Join-Path $base 'maintenance'))
  stopped = $stopped
  services = $services.Count
  restartNeeded = $pending
  diskFree = [long](Get-PSDrive $env:SystemDrive.Substring(0, 1)).Free
  running = $running
} | ConvertTo-Json -Depth 4 -Compress
